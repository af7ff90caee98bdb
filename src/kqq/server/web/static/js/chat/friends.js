// Making friends: asking somebody, and answering who asks.

import { ApiError } from "../common/api.js";
import { fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { button, openDialog, toast } from "./dialog.js";
import { nameOf, named } from "./names.js";
import { portrait } from "./roster.js";

const KNOWN = new Set(["offline", "no_answer", "no_such_number", "refused", "replaced"]);

/** Return why something could not be had, for people. */
export function whyNot(error) {
  if (error instanceof ApiError) return t("chat.failed_because", { why: error.why || error.code });
  if (!("code" in error)) throw error;
  return KNOWN.has(error.code) ? t(`error.${error.code}`) : t("chat.failed");
}

let fields = 0;

/** A field with its label. */
export function field(label, input) {
  input.id ||= `chat-field-${(fields += 1)}`;
  return h("div", { class: "field" }, h("label", { htmlFor: input.id }, label), input);
}

/**
 * Have a button do something that takes a while, once; what goes wrong is told in `told`.
 * @param {HTMLElement} told
 * @param {() => Promise<any>} work
 */
export async function doing(told, work) {
  if (told.dataset.busy) return;
  told.dataset.busy = "yes";
  fill(told);
  try {
    await work();
  } catch (error) {
    fill(told, whyNot(error));
  } finally {
    delete told.dataset.busy;
  }
}

/**
 * Add somebody, by number or by what they say of themselves.
 * @param {import("./talks.js").Talks} talks
 * @param {{uin?: number|null, open: (uin: number) => any}} how
 */
export function addFriend(talks, { uin = null, open }) {
  const { messenger } = talks;
  const number = h("input", {
    inputmode: "numeric",
    autocomplete: "off",
    maxlength: 14,
    value: uin === null ? "" : String(uin),
    autofocus: uin === null,
  });
  const words = h("input", { maxlength: 200, autocomplete: "off", autofocus: uin !== null });
  const told = h("p", { class: "wrong", role: "alert" });

  function add() {
    const wanted = Number(number.value.replace(/\s/gu, ""));
    if (!/^\d{5,10}$/u.test(String(wanted))) {
      told.textContent = t("friends.number_bad");
      number.focus();
      return;
    }
    if (wanted === talks.me.uin) {
      told.textContent = t("friends.yourself");
      return;
    }
    if (messenger.roster.has(wanted)) {
      dialog.close();
      open(wanted);
      return;
    }
    doing(told, async () => {
      const outcome = await messenger.addFriend(wanted, words.value.trim());
      dialog.close();
      const name = talks.name(wanted);
      toast(
        t(`friends.${outcome}`, { name }),
        outcome === "added" ? { label: t("friends.write"), action: () => open(wanted) } : null,
      );
    });
  }

  const dialog = openDialog({
    title: t("friends.add"),
    onsubmit: add,
    body: [
      field(t("friends.number"), number),
      field(t("friends.words"), words),
      told,
      search(talks, (person) => {
        number.value = String(person.uin);
        words.focus();
      }),
    ],
    footer: [
      button(t("chat.cancel"), () => dialog.close()),
      h("button", { class: "button primary" }, t("friends.add_button")),
    ],
  });
  return dialog;
}

/** People by age, sex and province; `choose` gets one of them. */
function search(talks, choose) {
  const age = h("input", { inputmode: "numeric", maxlength: 3, autocomplete: "off" });
  const sexes = [
    ["", "any"],
    ["0", "male"],
    ["1", "female"],
  ];
  const sex = h(
    "select",
    {},
    sexes.map(([value, name]) => h("option", { value }, t(`friends.${name}`))),
  );
  const province = h("input", { maxlength: 40, autocomplete: "off" });
  const told = h("p", { class: "wrong", role: "alert" });
  const found = h("ul", { class: "list" });

  function seek() {
    doing(told, async () => {
      const criteria = {};
      if (age.value.trim()) criteria.age = age.value.trim();
      if (sex.value) criteria.sex = sex.value;
      if (province.value.trim()) criteria.province = province.value.trim();
      const people = await talks.messenger.search(criteria);
      const others = people.filter(({ uin }) => uin !== talks.me.uin);
      fill(found, others.map(foundRow));
      if (!others.length) told.textContent = t("friends.nobody_found");
    });
  }

  const foundRow = (person) =>
    h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "row", onclick: () => choose(person) },
        portrait({ status: "offline", ...person }),
        h(
          "span",
          { class: "lines" },
          named(person, { class: "name cut" }),
          h("span", { class: "muted small-text" }, person.uin),
        ),
      ),
    );

  return h(
    "details",
    { class: "more-ways" },
    h("summary", {}, t("friends.search")),
    h(
      "div",
      { class: "search-fields" },
      field(t("friends.age"), age),
      field(t("friends.sex"), sex),
      field(t("friends.province"), province),
    ),
    button(t("friends.search_button"), seek),
    told,
    found,
  );
}

/**
 * Answer somebody who wants to be a friend.
 * @param {import("./talks.js").Talks} talks
 * @param {import("../kqq/history.js").FriendRequest} request
 * @param {(uin: number) => any} open
 */
export function answerRequest(talks, request, open) {
  const { messenger } = talks;
  const name = nameOf(request);
  const told = h("p", { class: "wrong", role: "alert" });
  const why = h("input", { maxlength: 200, autocomplete: "off" });
  const whyField = field(t("friends.why"), why);
  whyField.hidden = true;

  function accept() {
    doing(told, async () => {
      await messenger.acceptFriend(request.uin);
      dialog.close();
      toast(t("friends.accepted", { name }), {
        label: t("friends.write"),
        action: () => open(request.uin),
      });
    });
  }

  function refuse() {
    if (whyField.hidden) {
      whyField.hidden = false;
      why.focus();
      return;
    }
    doing(told, async () => {
      await messenger.refuseFriend(request.uin, why.value.trim());
      dialog.close();
      toast(t("friends.refused", { name }));
    });
  }

  const accepting = button(t("friends.accept"), accept, "primary");
  const dialog = openDialog({
    title: t("friends.request"),
    onsubmit: refuse,
    body: [
      h(
        "div",
        { class: "card-head" },
        portrait({ face: 0, status: "offline", ...request }),
        h(
          "div",
          { class: "lines" },
          h("strong", {}, named(request)),
          h("span", { class: "muted small-text" }, request.uin),
        ),
      ),
      h("p", {}, t("friends.wants", { name })),
      request.words && h("blockquote", { class: "note", dir: "auto" }, request.words),
      whyField,
      told,
    ],
    footer: [
      button(t("friends.later"), () => dialog.close(), "quiet"),
      button(t("friends.refuse"), refuse, "danger"),
      accepting,
    ],
  });
  accepting.focus();
}
