// The picture whose letters must be typed.

import { ApiError } from "../common/api.js";
import { t } from "../common/words.js";
import { Mistake, field } from "./form.js";
import { el } from "./live.js";

/**
 * Make the field for the letters of a picture. `another` is called by the button for another one.
 * @param {() => any} another
 * @returns {import("./form.js").Field & {show: (picture: string|null) => void}}
 */
export function captcha(another) {
  const picture = el("img", { class: "captcha", alt: () => t("captcha.picture") });
  const renew = el(
    "button",
    { type: "button", class: "button quiet small", onclick: another },
    () => t("captcha.another"),
  );
  const made = field({
    name: "letters",
    label: "captcha.letters",
    hint: "captcha.hint",
    class: "input",
    autocomplete: "off",
    autocapitalize: "none",
    autocorrect: "off",
    spellcheck: "false",
    maxlength: 16,
    around: (box) => [el("div", { class: "line-up" }, picture, renew), box],
  });
  made.element.hidden = true;
  return {
    ...made,
    value: () => made.input.value.trim(),
    show(base64) {
      made.element.hidden = base64 === null;
      made.input.value = "";
      if (base64 !== null) picture.src = `data:image/png;base64,${base64}`;
    },
  };
}

/**
 * Make the field for letters that are asked for only after failures, in a form with a password.
 * `again` submits the form. Requests go through `ask`, which gets what is to be sent besides.
 * @param {() => any} again
 */
export function captchaIfAsked(again) {
  let sent = "";
  let isRenewing = false;
  const made = captcha(() => {
    isRenewing = true; // without letters the server draws another one
    again();
  });
  return {
    ...made,
    /** @param {(more: {letters?: string}) => Promise<any>} request */
    async ask(request) {
      const isShown = !made.element.hidden;
      sent = isRenewing ? "" : made.value();
      if (isShown && !sent && !isRenewing) throw new Mistake("letters", "captcha.empty");
      isRenewing = false;
      try {
        const answer = await request(sent ? { letters: sent } : {});
        made.show(null);
        return answer;
      } catch (error) {
        if (error instanceof ApiError && error.status > 0) made.show(error.body.picture ?? null);
        throw error;
      }
    },
    /** Return what is wrong if that was about the picture, else null. */
    mistake(error) {
      if (error.code !== "captcha") return null;
      const key = sent ? "captcha.wrong" : "captcha.wanted";
      return new Mistake(error.body.picture ? "letters" : "", key);
    },
  };
}
