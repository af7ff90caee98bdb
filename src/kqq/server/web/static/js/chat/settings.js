// Settings of this browser, what it keeps, and the way out.

import { h } from "../common/dom.js";
import { saveConversations } from "../common/save.js";
import { setTheme, theme } from "../common/theme.js";
import { language, setLanguage, t } from "../common/words.js";
import { ask, button, openDialog, toast } from "./dialog.js";
import { field } from "./friends.js";
import { hasNotices, wantNotices } from "./notices.js";
import { choose, preference } from "./preferences.js";
import { sound } from "./sounds.js";

/**
 * Open the settings.
 * @param {import("./talks.js").Talks} talks
 * @param {{signOut: () => any, forgetAll: () => Promise<any>, keys: () => any}} does
 */
export function openSettings(talks, does) {
  const { me } = talks;
  const dialog = openDialog({
    title: t("settings.title"),
    kind: "settings",
    body: [
      h(
        "div",
        { class: "pair" },
        field(
          t("settings.language"),
          languageChoice(() => {
            dialog.close();
            openSettings(talks, does);
          }),
        ),
        field(t("settings.theme"), choice(["auto", "light", "dark"], "theme", theme(), setTheme)),
      ),
      field(
        t("settings.skin"),
        choice(["modern", "handset"], "skin", preference("skin"), (skin) => {
          dialog.close();
          choose("skin", skin);
        }),
      ),
      h("h3", {}, t("settings.telling")),
      soundSwitch(),
      notices(),
      h("h3", {}, t("settings.history")),
      h("p", { class: "hint" }, t("settings.history_words")),
      h(
        "div",
        { class: "line-up" },
        button(t("settings.export"), () => save(talks), "small"),
        button(t("settings.forget"), () => forget(does, () => dialog.close()), "small danger"),
      ),
      h("h3", {}, t("settings.further")),
      h(
        "ul",
        { class: "list links" },
        h("li", {}, h("a", { class: "row", href: "/account" }, t("settings.account"))),
        me.role && h("li", {}, h("a", { class: "row", href: "/operator" }, t("settings.operator"))),
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "row",
              onclick: () => {
                dialog.close();
                does.keys();
              },
            },
            t("keys.title"),
          ),
        ),
      ),
    ],
    footer: [
      button(
        t("settings.sign_out"),
        () => {
          dialog.close();
          signOut(does);
        },
        "danger",
      ),
      button(t("chat.done"), () => dialog.close(), "primary"),
    ],
  });
}

function languageChoice(again) {
  const names = { en: "English", zh: "中文" };
  const select = h(
    "select",
    { class: "input", autofocus: true },
    Object.entries(names).map(([value, name]) =>
      h("option", { value, selected: value === language(), lang: value }, name),
    ),
  );
  select.addEventListener("change", () => {
    setLanguage(select.value);
    again();
  });
  return select;
}

function choice(values, name, current, chosen) {
  const select = h(
    "select",
    { class: "input" },
    values.map((value) =>
      h("option", { value, selected: value === current }, t(`settings.${name}_${value}`)),
    ),
  );
  select.addEventListener("change", () => chosen(select.value));
  return select;
}

function soundSwitch() {
  const box = h("input", { type: "checkbox", checked: preference("sound") });
  box.addEventListener("change", () => {
    choose("sound", box.checked);
    if (box.checked) sound({ isTrial: true });
  });
  return h("label", { class: "switch" }, box, t("settings.sound"));
}

/** Notices: a button asks the browser once, then a switch is enough. */
function notices() {
  if (!hasNotices()) return h("p", { class: "hint" }, t("settings.no_notices"));
  if (Notification.permission === "denied") {
    return h("p", { class: "hint" }, t("settings.notices_denied"));
  }
  if (Notification.permission === "granted") {
    const box = h("input", { type: "checkbox", checked: preference("notices") });
    box.addEventListener("change", () => choose("notices", box.checked));
    return h("label", { class: "switch" }, box, t("settings.notices"));
  }
  const place = h("div", { class: "line-up" });
  place.append(
    button(
      t("settings.want_notices"),
      async () => {
        await wantNotices();
        place.replaceWith(notices());
      },
      "small",
    ),
  );
  return place;
}

async function save({ history, me }) {
  if (!(await saveConversations(history, me.uin))) toast(t("settings.nothing_to_save"));
}

async function forget(does, close) {
  const isWanted = await ask({
    title: t("settings.forget"),
    words: t("settings.forget_words"),
    yes: t("settings.forget_yes"),
    danger: true,
  });
  if (!isWanted) return;
  close();
  await does.forgetAll();
  toast(t("settings.forgotten"));
}

/** Sign out, after asking what becomes of the history. */
export async function signOut(does) {
  const box = h("input", { type: "checkbox" });
  const isWanted = await ask({
    title: t("settings.sign_out"),
    words: t("settings.sign_out_words"),
    yes: t("settings.sign_out"),
    more: h("label", { class: "switch" }, box, t("settings.sign_out_forget")),
  });
  if (isWanted) await does.signOut({ forget: box.checked });
}
