// Who may add me, and who may write to me.

import { api } from "../common/api.js";
import { t } from "../common/words.js";
import { el } from "./live.js";
import { part } from "./parts.js";
import { saving } from "./saving.js";

const CHOICES = {
  who_may_add: ["anyone", "ask", "nobody"],
  who_may_write: ["friends", "anyone"],
};

function choice(name) {
  const inputs = CHOICES[name].map((value) => el("input", { type: "radio", name, value }));
  const element = el(
    "fieldset",
    { class: "card group" },
    el("legend", {}, () => t(`field.${name}`)),
    inputs.map((input) =>
      el(
        "label",
        { class: "option" },
        input,
        el("span", {},
          el("span", { class: "name" }, () => t(`choice.${name}.${input.value}`)),
          el("span", { class: "hint" }, () => t(`choice.${name}.${input.value}_hint`))),
      ),
    ),
  );
  return {
    name,
    element,
    input: inputs[0],
    value: () => inputs.find((one) => one.checked)?.value ?? "",
    set: (value) => inputs.forEach((one) => (one.checked = one.value === value)),
    wrong: () => {},
  };
}

/** @param {any} account */
export function reach(account) {
  const fields = Object.keys(CHOICES).map(choice);
  const saver = saving({
    fields,
    read: (name) => account.me[name],
    save: async (values) => account.changed(await api.patch("/api/me", { values })),
  });
  const element = part("reach", saver.form(fields.map((one) => one.element)));
  saver.reset();
  return { name: "reach", element };
}
