// A new password.

import { api, whoAmI } from "../common/api.js";
import { t } from "../common/words.js";
import { captchaIfAsked } from "./captcha.js";
import { Mistake, checkTwice, form, secret } from "./form.js";
import { el } from "./live.js";
import { part, toast } from "./parts.js";

/** @param {any} account */
export function password(account) {
  const picture = captchaIfAsked(() => made.requestSubmit());
  const fields = [
    secret({ name: "old", label: "password.old", autocomplete: "current-password" }),
    secret({
      name: "password",
      label: "password.new",
      hint: "password.hint",
      autocomplete: "new-password",
    }),
    secret({ name: "again", label: "password.again", autocomplete: "new-password" }),
    picture,
  ];
  // Password managers ask for which name the password is.
  const name = el("input", {
    class: "visually-hidden",
    name: "uin",
    autocomplete: "username",
    value: String(account.me.uin),
    readonly: true,
    tabindex: "-1",
    "aria-hidden": "true",
  });

  async function submit(values) {
    if (!values.old) throw new Mistake("old", "password.old_empty");
    checkTwice(values.password, values.again);
    const wanted = { old: values.old, new: values.password };
    await picture.ask((more) => api.post("/api/me/password", { ...wanted, ...more }));
    account.changed(await whoAmI()); // requests carry another word from now on
    for (const one of fields) one.input.value = "";
    toast("password.done");
  }

  function explain(error) {
    if (error.code === "wrong") return new Mistake("old", "password.wrong");
    if (error.code === "password") {
      return new Mistake("password", "sign_up.password_bad", { why: error.why });
    }
    return picture.mistake(error);
  }

  const made = form({
    name: "password",
    fields,
    button: "password.button",
    submit,
    explain,
    before: name,
  });
  const element = part(
    "password",
    el("p", { class: "muted" }, () => t("password.words")),
    el("div", { class: "card slim" }, made),
  );
  return { name: "password", element };
}
