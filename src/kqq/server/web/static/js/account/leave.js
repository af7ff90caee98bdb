// Taking everything along, and going for good.

import { api } from "../common/api.js";
import { saveConversations } from "../common/save.js";
import { History } from "../kqq/history.js";
import { t } from "../common/words.js";
import { captchaIfAsked } from "./captcha.js";
import { Mistake, form, readNumber } from "./form.js";
import { button, el } from "./live.js";
import { part, toast } from "./parts.js";
import { notAdmitted, numberField, passwordField } from "./sign_in.js";

const PATIENCE = 3000;

const points = (key, count) =>
  el("ul", {}, Array.from({ length: count }, (_, at) => el("li", {}, () => t(`${key}_${at + 1}`))));

/** Have the browser save the conversations that the chat has kept in it. */
async function saveTalks(uin) {
  try {
    const history = await History.open(uin);
    const isSaved = await saveConversations(history, uin).finally(() => history.close());
    if (!isSaved) toast("leave.talks_none");
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    toast("leave.talks_failed");
  }
}

/** Forget the conversations; give whether they are gone. A chat in another tab may hold them. */
async function forget(uin) {
  const late = new Promise((resolve) => setTimeout(() => resolve(false), PATIENCE));
  const done = History.open(uin).then((history) => history.forget()).then(() => true);
  return Promise.race([done.catch(() => false), late]);
}

/** @param {any} account */
export function leave(account) {
  const { uin: own } = account.me;
  const forgets = el("input", { type: "checkbox", checked: true });
  const picture = captchaIfAsked(() => made.requestSubmit());

  async function submit({ uin, password }) {
    if (readNumber(uin) !== own) throw new Mistake("uin", "leave.not_yours");
    if (!password) throw new Mistake("password", "form.password_empty");
    await picture.ask((more) => api.del("/api/me", { password, ...more }));
    const isForgotten = !forgets.checked || (await forget(own));
    account.gone(isForgotten ? "leave.done" : "leave.done_not_forgotten");
  }

  function explain(error) {
    if (error.code === "wrong") return new Mistake("password", "password.wrong");
    return picture.mistake(error) ?? notAdmitted(error);
  }

  const made = form({
    name: "delete",
    fields: [numberField("leave.number"), passwordField(), picture],
    button: "leave.button",
    kind: "danger",
    last: el("label", { class: "option" }, forgets, el("span", {}, () => t("leave.forget"))),
    submit,
    explain,
  });
  const element = part(
    "leave",
    el("div", { class: "card group" },
      el("h2", {}, () => t("leave.export")),
      el("p", {}, () => t("leave.export_words")),
      points("leave.export_has", 5),
      el("a", { class: "button primary", href: "/api/me/export", download: `kqq-${own}.json` },
        () => t("leave.export_button")),
      el("p", { class: "above-small" }, () => t("leave.talks_words")),
      button("leave.talks_button", () => saveTalks(own))),
    el("div", { class: "card group danger-zone" },
      el("h2", {}, () => t("leave.delete")),
      el("p", {}, () => t("leave.delete_words")),
      el("div", { class: "goes" },
        el("div", {}, el("h3", {}, () => t("leave.goes")), points("leave.goes", 4)),
        el("div", {}, el("h3", {}, () => t("leave.stays")), points("leave.stays", 4))),
      el("div", { class: "slim-form" }, made)),
  );
  return { name: "leave", element };
}
