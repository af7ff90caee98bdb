// The forms that make a number: for everybody, and for the first administrator.

import { api } from "../common/api.js";
import { t } from "../common/words.js";
import { captcha, captchaIfAsked } from "./captcha.js";
import { Mistake, checkTwice, field, form, readNumber, secret, usual } from "./form.js";
import { notAdmitted, numberField, passwordField } from "./sign_in.js";
import { el } from "./live.js";

const LONGEST_NICK = 64;

/** Nickname and password twice, as whoever takes a new number types them. */
function newcomer() {
  return [
    field({
      name: "nick",
      label: "sign_up.nick",
      autocomplete: "nickname",
      maxlength: LONGEST_NICK,
    }),
    secret({ name: "password", label: "form.password", autocomplete: "new-password" }),
    secret({ name: "again", label: "form.again", autocomplete: "new-password" }),
  ];
}

function checkNewcomer(values) {
  if (!values.nick.trim()) throw new Mistake("nick", "sign_up.nick_empty");
  checkTwice(values.password, values.again);
  return { nick: values.nick.trim(), password: values.password };
}

function newcomerMistake(error) {
  const { code, why } = error;
  if (code === "nick") return new Mistake("nick", "sign_up.nick_bad");
  return code === "password" ? new Mistake("password", "sign_up.password_bad", { why }) : null;
}

const advice = () => el("p", { class: "note warn advice" }, () => t("sign_up.advice"));

/**
 * Make the form to sign up. `done` is called with the number and what was typed.
 * @param {{registration: "invitation"|"open", needsCaptcha: boolean, invitation?: string,
 *   done: (uin: number, typed: {nick: string, password: string}) => any}} of
 */
export function signUp({ registration, needsCaptcha, invitation = "", done }) {
  const code = field({
    name: "code",
    label: "sign_up.code",
    hint: "sign_up.code_hint",
    autocomplete: "one-time-code",
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: 32,
    value: invitation,
  });
  let id = null;
  const show = (found) => {
    id = found.id;
    picture.show(found.picture);
  };
  const draw = async () => show(await api.get("/api/captcha"));
  const picture = captcha(async () => {
    try {
      await draw();
      element.tell(null);
      picture.input.focus();
    } catch (error) {
      element.tell(usual(error));
    }
  });

  async function submit(values) {
    const typed = checkNewcomer(values);
    const wanted = { ...typed };
    if (registration === "invitation") {
      if (!values.code.trim()) throw new Mistake("code", "sign_up.code_empty");
      wanted.code = values.code.trim();
    }
    if (needsCaptcha) {
      if (id === null) await draw(); // it could not be had before
      if (!values.letters) throw new Mistake("letters", "captcha.empty");
      wanted.captcha = { id, letters: values.letters };
    }
    let uin;
    try {
      ({ uin } = await api.post("/api/sign-up", wanted));
    } catch (error) {
      // A picture is good for one try.
      if (error.body?.captcha) show(error.body.captcha);
      else if (needsCaptcha && error.status > 0) await draw().catch(() => {});
      throw error;
    }
    await done(uin, typed);
  }

  function explain(error) {
    switch (error.code) {
      case "captcha":
        return new Mistake("letters", "captcha.wrong");
      case "invitation":
        return new Mistake("code", "sign_up.invitation");
      case "closed":
        return new Mistake("", "sign_up.closed");
      case "too_many":
        return new Mistake("", "sign_up.too_many");
      case "full":
        return new Mistake("", "sign_up.full");
    }
    return newcomerMistake(error);
  }

  const element = form({
    name: "sign-up",
    fields: [
      ...(registration === "invitation" ? [code] : []),
      ...newcomer(),
      ...(needsCaptcha ? [picture] : []),
    ],
    button: "sign_up.button",
    submit,
    explain,
    before: [el("h1", {}, () => t("sign_up.title")), advice()],
  });
  if (needsCaptcha) draw().catch((error) => element.tell(usual(error)));
  return element;
}

/**
 * Make the form of the first administrator's link: with a new number, or with one that is there.
 * @param {{code: string, isNew: boolean,
 *   done: (uin: number, typed: {nick?: string, password: string}) => any}} of
 */
export function firstAdministrator({ code, isNew, done }) {
  const known = isNew ? null : captchaIfAsked(() => element.requestSubmit());

  async function submit(values) {
    if (isNew) {
      const typed = checkNewcomer(values);
      await done((await api.post("/api/first", { code, ...typed })).uin, typed);
      return;
    }
    const uin = readNumber(values.uin);
    const { password } = values;
    if (!password) throw new Mistake("password", "form.password_empty");
    await known.ask((more) => api.post("/api/first", { code, uin, password, ...more }));
    await done(uin, { password });
  }

  function explain(error) {
    if (error.code === "code") return new Mistake("", "first.code");
    if (isNew) return newcomerMistake(error);
    return known.mistake(error) ?? notAdmitted(error);
  }

  const element = form({
    name: "first",
    fields: isNew ? newcomer() : [numberField(), passwordField(), known],
    button: isNew ? "first.button_new" : "first.button_known",
    submit,
    explain,
  });
  return element;
}
