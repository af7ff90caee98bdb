// Announcements: a message from 10000 to everybody, or to some.

import { ApiError } from "../../common/api.js";
import { fill, h } from "../../common/dom.js";
import { t } from "../../common/words.js";
import { MOST } from "../bounds.js";
import { ask } from "../dialogs.js";
import {
  button, card, field, heading, number, readUins, refusal, say, tellIfSignedOut,
} from "../parts.js";
import { act, read } from "../server.js";

/** Return these numbers if there is an account for each. */
async function checked(uins) {
  if (!uins.length) throw new ApiError(0, "empty", "");
  const known = new Set((await read("account.which", { uins })).map(({ uin }) => uin));
  const unknown = uins.filter((uin) => !known.has(uin));
  if (unknown.length) throw new ApiError(0, "unknown", unknown.join(", "));
  return uins;
}

/** Make the view. */
export function announceView({ signal }) {
  const text = h("textarea", { rows: 5, dir: "auto", maxlength: MOST.announce.text });
  const numbers = h("input", { autocomplete: "off", spellcheck: "false" });
  const some = field(t("op.numbers"), numbers, t("op.numbers_hint"));
  some.hidden = true;
  const bubble = h("p", { class: "bubble", dir: "auto" });
  const count = h("span", { class: "muted small-text" });
  const error = h("p", { class: "wrong", role: "alert" });
  const go = button(t("op.announce"), send, "primary");
  const radios = [["all", t("op.to_all")], ["some", t("op.to_some")]].map(([value, words]) =>
    h("label", { class: "radio" },
      h("input", {
        type: "radio", name: "to", value, checked: value === "all",
        onchange: () => {
          some.hidden = value === "all";
        },
      }), words));
  const show = () => {
    const { length } = text.value;
    bubble.textContent = text.value || t("op.preview_empty");
    bubble.classList.toggle("muted", !length);
    count.textContent = t("op.characters", { count: number(length) });
    go.disabled = !text.value.trim();
  };
  text.addEventListener("input", show);
  show();

  async function send() {
    fill(error);
    try {
      const to = some.hidden ? null : await checked(readUins(numbers.value));
      const many = to ? to.length : (await read("status")).accounts;
      if (signal.aborted) return;
      const sent = await ask({
        title: t("op.announce_sure"),
        words: [
          t(to ? "op.announce_some" : "op.announce_all", { count: number(many) }),
          h("span", { class: "bubble", dir: "auto" }, text.value),
        ],
        yes: t("op.announce_to", { count: number(many) }),
        work: () => act("announce", { text: text.value, ...(to ? { to } : {}) }),
      });
      if (!sent) return;
      say(t("op.announced", { count: number(sent.sent) }), "good");
      text.value = "";
      show();
    } catch (refused) {
      fill(error, refusal(refused));
      tellIfSignedOut(refused);
    }
  }

  return h("div", { class: "stack" },
    heading(t("op.nav.announce")),
    h("p", { class: "muted" }, t("op.announce_hint")),
    card(t("op.message"), field(t("op.text"), text, count),
      h("fieldset", {}, h("legend", {}, t("op.to_whom")), radios), some, error,
      h("div", { class: "line-up" }, go)),
    card(t("op.preview"), h("p", { class: "muted small-text" }, t("op.from_system")), bubble));
}
