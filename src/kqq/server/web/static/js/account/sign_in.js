// The form to sign in with.

import { api } from "../common/api.js";
import { t } from "../common/words.js";
import { captchaIfAsked } from "./captcha.js";
import { Mistake, field, form, readNumber, secret } from "./form.js";
import { el } from "./live.js";

/** The field for one's number. */
export const numberField = (label = "form.number") =>
  field({
    name: "uin",
    label,
    inputmode: "numeric",
    autocomplete: "username",
    maxlength: 14, // with blanks
  });

/** The field for the password that one has. */
export const passwordField = () =>
  secret({ name: "password", label: "form.password", autocomplete: "current-password" });

/** Return what is wrong if the server did not take number and password, else null. */
export function notAdmitted(error) {
  const { reason } = error.body;
  switch (error.code) {
    case "wrong":
      return new Mistake("password", "sign_in.wrong");
    case "device":
      return new Mistake("password", "sign_in.device");
    case "suspended":
      return reason
        ? new Mistake("", "sign_in.suspended_because", { reason })
        : new Mistake("", "sign_in.suspended");
  }
  return null;
}

/**
 * Make the form. `done` is called once somebody is signed in.
 * @param {{done: () => any}} of
 */
export function signIn({ done }) {
  const picture = captchaIfAsked(() => element.requestSubmit());

  async function submit(values) {
    const uin = readNumber(values.uin);
    const { password } = values;
    if (!password) throw new Mistake("password", "form.password_empty");
    await picture.ask((more) => api.post("/api/sign-in", { uin, password, ...more }));
    await done();
  }

  const element = form({
    name: "sign-in",
    fields: [numberField(), passwordField(), picture],
    button: "sign_in.button",
    submit,
    explain: (error) => picture.mistake(error) ?? notAdmitted(error),
    before: el("h1", {}, () => t("sign_in.title")),
  });
  return element;
}
