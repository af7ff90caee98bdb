// What is done to an account, each asked for in a dialog. Resolves to null if nothing was done.

import { h } from "../common/dom.js";
import { t } from "../common/words.js";
import { MOST } from "./bounds.js";
import { ask, tell } from "./dialogs.js";
import { choice, readUin, say, shownOnce } from "./parts.js";
import { act } from "./server.js";

const who = ({ nick, uin }) => ({ who: `${nick} (${uin})` });

const reasonField = (action, hint) => ({
  name: "reason", label: t("op.reason"), hint,
  input: h("input", { maxlength: MOST[action].reason, dir: "auto" }),
});

/** Ask, do, and say that it was done. */
async function asked(question, done) {
  const found = await ask(question);
  if (found) say(done, "good");
  return found;
}

/** Change nickname, face, and who may add or write. */
export function change(account) {
  const { uin } = account;
  const options = (names) => names.map((one) => [one, t(`op.choice.${one}`)]);
  const inputs = {
    nick: h("input", { value: account.nick, maxlength: MOST["account.add"].nick, dir: "auto" }),
    face: h("input", { value: account.face, type: "number", min: 0, max: 65535 }),
    who_may_add: choice(options(["anyone", "ask", "nobody"]), account.who_may_add),
    who_may_write: choice(options(["friends", "anyone"]), account.who_may_write),
  };
  const fields = Object.entries(inputs).map(([name, input]) => (
    { name, input, label: t(name === "nick" ? "op.nick" : `op.field.${name}`) }));
  return asked({
    title: t("op.change_whom", who(account)), fields, yes: t("op.save"),
    work: (values) => {
      const changed = Object.entries(values)
        .filter(([name, value]) => value !== String(account[name]));
      if (!changed.length) return account;
      return act("account.set", { uin, values: Object.fromEntries(changed) });
    },
  }, t("op.saved"));
}

/** Set a new password, which ends the session. */
export function setPassword(account) {
  const input = h("input", { type: "password", autocomplete: "new-password" });
  return asked({
    title: t("op.set_password_of", who(account)),
    words: t("op.set_password_hint"),
    fields: [{ name: "password", label: t("op.new_password"), input }],
    yes: t("op.set_password"),
    work: ({ password }) => act("account.passwd", { uin: account.uin, password }),
  }, t("op.password_set"));
}

/** Let somebody sign in no more. */
export function suspend(account) {
  return asked({
    title: t("op.suspend_whom", who(account)),
    words: t("op.suspend_hint"),
    fields: [reasonField("account.suspend", t("op.suspend_reason_hint"))],
    yes: t("op.suspend"), danger: true,
    work: ({ reason }) => act("account.suspend", { uin: account.uin, reason }),
  }, t("op.suspend_done", who(account)));
}

/** Let somebody sign in again. */
export function resume(account) {
  return asked({
    title: t("op.resume_whom", who(account)), words: t("op.resume_hint"), yes: t("op.resume"),
    work: () => act("account.resume", { uin: account.uin }),
  }, t("op.resume_done", who(account)));
}

/** End somebody's session. */
export function kick(account) {
  return asked({
    title: t("op.kick_whom", who(account)),
    words: t("op.kick_hint"),
    fields: [reasonField("kick", t("op.kick_reason_hint"))],
    yes: t("op.kick"), danger: true,
    work: ({ reason }) => act("kick", { uin: account.uin, ...(reason ? { reason } : {}) }),
  }, t("op.kick_done", who(account)));
}

/** Delete an account, once its number was typed. */
export function deleteAccount(account) {
  return asked({
    title: t("op.delete_whom", who(account)),
    words: t("op.delete_hint", { friends: account.friends.length, waiting: account.waiting }),
    yes: t("op.delete"), danger: true, typed: String(account.uin),
    work: () => act("account.delete", { uin: account.uin }),
  }, t("op.delete_done", who(account)));
}

/** Make somebody a friend. */
export function befriend(account) {
  const input = h("input", { inputmode: "numeric", autocomplete: "off" });
  return asked({
    title: t("op.befriend_whom", who(account)),
    fields: [{ name: "other", label: t("op.number"), input }],
    yes: t("op.befriend"),
    work: ({ other }) => act("account.friend", { uin: account.uin, other: readUin(other) }),
  }, t("op.saved"));
}

/** End a friendship. */
export function part(account, other) {
  return asked({
    title: t("op.part_from", { uin: other }), words: t("op.part_hint", { ...who(account), other }),
    yes: t("op.part"), danger: true,
    work: () => act("account.unfriend", { uin: account.uin, other }),
  }, t("op.saved"));
}

/** Make a password for one phone, and show it. */
export async function addDevice(account) {
  const input = h("input", { maxlength: MOST["device.add"].name, dir: "auto" });
  const made = await ask({
    title: t("op.add_device"),
    fields: [{ name: "name", label: t("op.device_name"), hint: t("op.device_hint"), input }],
    yes: t("op.add"),
    work: ({ name }) => act("device.add", { uin: account.uin, name }),
  });
  if (made) {
    await tell(t("op.device_made", made),
      h("p", {}, t("op.shown_once")), shownOnce(t("op.password"), made.password, made.grouped));
  }
  return made;
}

/** Let the password of a phone sign in no more. */
export function revoke(account, name) {
  return asked({
    title: `${t("op.revoke")}: ${name}`, words: t("op.revoke_hint"), yes: t("op.revoke"),
    danger: true,
    work: () => act("device.revoke", { uin: account.uin, name }),
  }, t("op.saved"));
}
