// The choice of a face.

import { face } from "../common/face.js";
import { t } from "../common/words.js";
import { button, el } from "./live.js";

const STEP = 3; // the code of a face is three times what the picture is
const FACES = 97; // the first sign of the nickname, and the pictures that there are

/**
 * Let somebody choose; gives the code of a face, or null if it shall stay what it is.
 * @param {number} current
 * @param {string} nick
 * @returns {Promise<number|null>}
 */
export function pickFace(current, nick) {
  return new Promise((resolve) => {
    let chosen = null;
    const codes = Array.from({ length: FACES }, (_, at) => at * STEP);
    if (!codes.includes(current)) codes.unshift(current);
    const choices = codes.map((code) =>
      el(
        "label",
        { class: "face-choice" },
        el("input", {
          type: "radio",
          name: "face-choice",
          value: String(code),
          checked: code === current,
          "aria-label": () => (code < STEP
            ? t("profile.face_initial")
            : t("profile.face_number", { number: Math.floor(code / STEP) + 1 })),
        }),
        face(code, nick),
      ),
    );
    const take = (event) => {
      event.preventDefault();
      chosen = Number(form.elements["face-choice"].value);
      dialog.close();
    };
    const form = el(
      "form",
      { onsubmit: take },
      el("header", {}, el("h2", { id: "face-picker" }, () => t("profile.face_title"))),
      el("div", { class: "body faces", role: "radiogroup", "aria-labelledby": "face-picker" },
        choices),
      el("footer", {},
        button("account.cancel", () => dialog.close()),
        el("button", { class: "button primary" }, () => t("profile.face_take"))),
    );
    const dialog = el("dialog", { class: "dialog", "aria-labelledby": "face-picker" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(chosen);
    });
    document.body.append(dialog);
    dialog.showModal();
    form.querySelector("input:checked")?.focus();
  });
}
