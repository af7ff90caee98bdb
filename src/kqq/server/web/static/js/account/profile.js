// What people say of themselves, and their face.

import { api } from "../common/api.js";
import { face } from "../common/face.js";
import { fill } from "../common/dom.js";
import { t } from "../common/words.js";
import { pickFace } from "./face_picker.js";
import { Mistake, field } from "./form.js";
import { button, el } from "./live.js";
import { load, part } from "./parts.js";
import { saving } from "./saving.js";

/** How entries are put together; what has no place here, from a newer server, comes last. */
const GROUPS = [
  ["self", ["nick", "sex", "age", "about"]],
  ["place", ["country", "province", "city", "postcode", "address"]],
  ["contact", ["email", "home_page", "phone", "mobile"]],
  ["life", ["real_name", "school", "job", "constellation", "zodiac", "blood"]],
];
const ELSEWHERE = new Set(["face", "who_may_add", "who_may_write"]);
const WIDE = new Set(["nick", "about", "address"]);
const COMPLETE = {
  nick: "nickname",
  about: "off",
  country: "country-name",
  province: "address-level1",
  city: "address-level2",
  address: "street-address",
  postcode: "postal-code",
  email: "email",
  home_page: "url",
  phone: "tel",
  mobile: "tel",
  real_name: "name",
  job: "organization-title",
};

const nameKey = (name) => `field.${name}`;
const named = (key, otherwise) => (t(key) === key ? otherwise : t(key));

/** Return what an account has under a name, as the fields show it. */
function valueOf(me, name) {
  return String((name === "nick" || name === "face" ? me[name] : me.profile[name]) ?? "");
}

/** Return what was typed without what no entry may have: line ends, and blanks of other widths. */
const tidy = (text) => text.replace(/\s/gu, " ").trim();

/** Make the field of an entry. */
function entry({ name, kind, choices, longest }, me) {
  const common = { name, label: nameKey(name) };
  if (kind === "choice") {
    const value = valueOf(me, name);
    const words = (one) =>
      one === "" ? t("profile.not_said") : named(`choice.${name}.${one}`, one);
    // Some have a code for nothing said; it is offered only where a phone has written it.
    const nothing = choices.find((one) => words(one) === words("")) === value ? value : "";
    const codes = choices.filter((one) => words(one) !== words(""));
    const shown = [nothing, ...codes];
    if (!shown.includes(value)) shown.push(value); // a phone may write anything
    const made = shown.map((one) => el("option", { value: one }, () => words(one)));
    const input = el("select", {}, made);
    return field({ ...common, input });
  }
  const made = name === "about"
    ? field({ ...common, input: el("textarea", { rows: 3, maxlength: longest ?? null }) })
    : field({
      ...common,
      autocomplete: COMPLETE[name] ?? "off",
      inputmode: kind === "number" ? "numeric" : null,
      maxlength: longest ?? null,
    });
  return { ...made, value: () => tidy(made.input.value) };
}

/** @param {any} account */
export function profile(account) {
  const place = el("div");
  const element = part(
    "profile",
    el("p", { class: "muted" }, () => t("profile.words")),
    place,
  );

  function draw(described) {
    const known = new Map(described.map((one) => [one.name, one]));
    const grouped = GROUPS.flatMap(([, names]) => names);
    const rest = described
      .map((one) => one.name)
      .filter((name) => !grouped.includes(name) && !ELSEWHERE.has(name));
    const groups = [...GROUPS, ["rest", rest]].map(([group, names]) => [
      group,
      names.filter((name) => known.has(name)).map((name) => entry(known.get(name), account.me)),
    ]);
    const fields = groups.flatMap(([, made]) => made);
    const faced = el("input", { type: "hidden", name: "face" });
    const nick = fields.find((one) => one.name === "nick");
    const hidden = { name: "face", input: faced, value: () => faced.value, wrong: () => {} };
    const nickNow = () => nick?.value() || account.me.nick;
    const drawn = el("div", { class: "drawn" });
    const name = el("div", { class: "name" });
    const chooser = button("profile.face", choose);
    const looks = el("div", { class: "looks" }, drawn,
      el("div", { class: "spread" }, name, el("div", { class: "muted" }, account.me.uin)), chooser);

    function show() {
      fill(drawn, face(Number(faced.value), nickNow()));
      name.textContent = nickNow();
    }
    async function choose() {
      const chosen = await pickFace(Number(faced.value), nickNow());
      if (chosen === null) return;
      faced.value = String(chosen);
      saver.look();
    }
    const saver = saving({
      fields: [...fields, hidden],
      read: (name) => valueOf(account.me, name),
      async save(values) {
        if (values.nick !== undefined && !values.nick.trim()) {
          throw new Mistake("nick", "sign_up.nick_empty");
        }
        account.changed(await api.patch("/api/me", { values }));
      },
      onlook: show,
    });
    const content = groups
      .filter(([, made]) => made.length > 0)
      .map(([group, made]) => {
        const box = el("div", { class: "grid" }, made.map((one) => one.element));
        for (const one of made) one.element.classList.toggle("wide", WIDE.has(one.name));
        if (group === "rest") {
          return el("details", { class: "card group" },
            el("summary", {}, () => t("profile.group_rest")),
            el("p", { class: "hint" }, () => t("profile.rest_words")), box);
        }
        return el("fieldset", { class: "card group" },
          el("legend", {}, () => t(`profile.group_${group}`)), box);
      });
    saver.reset();
    return saver.form(el("div", { class: "card" }, looks), content);
  }

  let isLoaded = false;
  return {
    name: "profile",
    element,
    enter() {
      if (isLoaded) return;
      isLoaded = true;
      load(account, place, () => api.get("/api/me/fields"), draw);
    },
  };
}
