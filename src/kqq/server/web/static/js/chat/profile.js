// What somebody says of themselves, and what can be done about them.

import { accountWords } from "../account/words.js";
import { append, fill, h } from "../common/dom.js";
import { face } from "../common/face.js";
import { register, t } from "../common/words.js";
import { copyText } from "../common/copy.js";
import { ask, button, openDialog, toast } from "./dialog.js";
import { addFriend, whyNot } from "./friends.js";
import { named, oneLine } from "./names.js";
import { statusWords } from "./roster.js";

register(accountWords); // the names of a profile's entries

const UNKNOWN = new Set(["uin", "nick", "face", "status", "cv", "id", "mt", "mv"]);

/**
 * Open the card of somebody.
 * @param {import("./talks.js").Talks} talks
 * @param {number} uin
 * @param {(uin: number|null) => any} open
 */
export function openProfile(talks, uin, open) {
  const row = talks.row(uin);
  const entries = h("dl", { class: "entries" });
  const told = h("p", { class: "muted small-text", role: "status" }, t("card.loading"));
  const doing = (work) => async () => {
    try {
      await work();
    } catch (error) {
      fill(told, whyNot(error));
    }
  };

  async function load() {
    const profile = await talks.messenger.info(uin);
    talks.meet(profile);
    const known = Object.entries(profile).filter(([name, value]) => !UNKNOWN.has(name) && value);
    fill(
      entries,
      known.map(([name, value]) => entry(name, String(value))),
    );
    fill(told, known.length ? null : t("card.says_nothing"));
  }

  async function remove() {
    const name = talks.name(uin);
    const words = t("card.remove_words", { name });
    if (!(await ask({ title: t("card.remove"), words, yes: t("card.remove"), danger: true }))) {
      return;
    }
    await talks.messenger.removeFriend(uin);
    dialog.close();
    toast(t("card.removed", { name }));
  }

  const dialog = openDialog({
    title: t("card.title"),
    kind: "profile-card",
    body: [
      h(
        "div",
        { class: "card-head" },
        face(row.face, row.nick),
        h(
          "div",
          { class: "lines" },
          h("strong", { class: "name" }, named(row)),
          h(
            "span",
            { class: "muted" },
            row.isFriend ? statusWords(row.status) : t("chat.no_friend"),
          ),
          h(
            "span",
            { class: "line-up" },
            h("span", { class: "mono" }, uin),
            button(t("chat.copy"), () => copyNumber(uin), "small quiet"),
          ),
        ),
      ),
      told,
      entries,
    ],
    footer: [
      row.isFriend
        ? button(t("card.remove"), doing(remove), "danger")
        : button(t("friends.add"), () => {
            dialog.close();
            addFriend(talks, { uin, open });
          }),
      button(
        t("card.write"),
        () => {
          dialog.close();
          open(uin);
        },
        "primary",
      ),
    ],
  });
  dialog.querySelector("footer .primary").focus();
  doing(load)();
}

async function copyNumber(uin) {
  toast(t((await copyText(String(uin))) ? "chat.copied" : "chat.not_copied"));
}

function entry(name, value) {
  const chosen = `choice.${name}.${value}`;
  const words = t(chosen) === chosen ? oneLine(value, 300) : t(chosen);
  const label = t(`field.${name}`);
  return [
    h("dt", { class: "muted small-text" }, label === `field.${name}` ? name : label),
    append(h("dd", { dir: "auto" }), words),
  ];
}
