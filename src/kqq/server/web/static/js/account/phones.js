// Passwords of phones: made here, shown once, revoked.

import { api } from "../common/api.js";
import { fill } from "../common/dom.js";
import { ago, moment } from "../common/time.js";
import { t } from "../common/words.js";
import { Mistake, field, form } from "./form.js";
import { icon } from "./icons.js";
import { button, el } from "./live.js";
import { confirm, date, load, part, row, toast } from "./parts.js";
import { shownOnce } from "./shown_once.js";

const LONGEST_NAME = 32;

/** @param {any} account */
export function phones(account) {
  const listed = el("div");
  const making = el("div");
  const element = part(
    "phones",
    el("p", { class: "muted" }, () => t("phones.words")),
    making,
    el("h2", { class: "above" }, () => t("phones.list")),
    listed,
  );

  const refresh = () => load(account, listed, () => api.get("/api/me/devices"), draw);

  function draw(found) {
    if (found.length === 0) return el("p", { class: "card muted" }, () => t("phones.none"));
    return el("ul", { class: "list card things" }, found.map(line));
  }

  function line({ name, created, last_seen: seen }) {
    return row({
      icon: icon("phones"),
      name,
      more: [
        el("span", {}, () => (seen === null
          ? t("phones.never_seen")
          : t("phones.seen", { when: ago(date(seen)) }))),
        " · ",
        el("span", {}, () => t("phones.made", { when: moment(date(created)) })),
      ],
      buttons: button("phones.revoke", () => revoke(name), "small danger", {
        "aria-label": () => t("phones.revoke_name", { name }),
      }),
    });
  }

  async function revoke(name) {
    const isDone = await confirm({
      title: "phones.revoke_title",
      words: "phones.revoke_words",
      values: { name },
      yes: "phones.revoke",
      work: () => api.del(`/api/me/devices/${encodeURIComponent(name)}`),
    });
    if (!isDone) return;
    toast("phones.revoked", { name });
    await refresh();
    element.querySelector("h2").focus();
  }

  function showMaking() {
    const name = field({
      name: "name",
      label: "phones.name",
      hint: "phones.name_hint",
      maxlength: LONGEST_NAME,
      autocomplete: "off",
    });
    async function submit(values) {
      const wanted = values.name.trim();
      if (!wanted) throw new Mistake("name", "phones.name_empty");
      const made = await api.post("/api/me/devices", { name: wanted });
      const { element: card, focus } = shownOnce(made, () => {
        showMaking();
        making.querySelector("input").focus();
      });
      fill(making, card);
      focus();
      refresh();
    }
    const explain = (error) =>
      error.code === "account" ? new Mistake("name", "form.refused", { why: error.why }) : null;
    fill(making, el("div", { class: "card slim" },
      form({ name: "device", fields: [name], button: "phones.make", submit, explain })));
  }

  showMaking();
  return { name: "phones", element, enter: refresh };
}
