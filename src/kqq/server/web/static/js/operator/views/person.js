// One account: what is known of it, and what can be done about it.

import { fill, h } from "../../common/dom.js";
import { face } from "../../common/face.js";
import { t } from "../../common/words.js";
import { mayTo } from "../access.js";
import { badge, button, card, facts, fillWith, nothing, number, span, time } from "../parts.js";
import { hash } from "../place.js";
import { read } from "../server.js";
import {
  addDevice, befriend, change, deleteAccount, kick, part, resume, revoke, setPassword, suspend,
} from "../doing.js";

/** Make the view of the account whose number is the rest of the hash. */
export function personView({ me, what, signal }) {
  const element = h("div", { class: "stack" });
  const look = () => fillWith(element, async () => {
    const found = await read("account.show", { uin: what });
    return parts(found, (action) => mayTo(me.role, action, found.role), look);
  }, signal);
  look();
  return h("div", { class: "stack" },
    h("a", { class: "back", href: hash("people") }, t("op.all_people")), element);
}

function parts(found, can, look) {
  return [
    head(found),
    doings(found, can, look),
    card(t("op.account"), facts([
      [t("op.number"), String(found.uin)],
      [t("op.last_seen"), found.last_seen === null ? t("op.never_here") : time(found.last_seen)],
      [t("op.waiting"), number(found.waiting)],
      [t("op.field.who_may_add"), t(`op.choice.${found.who_may_add}`)],
      [t("op.field.who_may_write"), t(`op.choice.${found.who_may_write}`)],
    ])),
    found.session && session(found.session),
    card(t("op.profile"), profile(found.profile)),
    friends(found, can, look),
    devices(found, can, look),
  ];
}

function head(found) {
  const { session, suspended } = found;
  return h("div", { class: "person" }, face(found.face, found.nick),
    h("div", { class: "spread" }, h("h1", { tabindex: "-1", dir: "auto" }, found.nick),
      h("p", { class: "line-up" }, h("span", { class: "muted" }, String(found.uin)),
        session ? badge(t("op.is_signed_in"), "good") : badge(t("op.is_away")),
        found.role && badge(t(`op.role.${found.role}`)),
        suspended === null ? null : badge(t("op.suspended"), "bad")),
      suspended ? h("p", { dir: "auto" }, t("op.because", { reason: suspended })) : null));
}

function doings(found, can, look) {
  const { uin } = found;
  const make = (words, work, kind = "") =>
    button(words, async () => (await work(found)) && look(), kind, { "data-key": words });
  return h("div", { class: "line-up" },
    h("a", { class: "button", href: hash("diagnosis", uin) }, t("op.why_not")),
    can("wire") && h("a", { class: "button", href: hash("wire", "", { uin }) }, t("op.watch")),
    can("account.set") && make(t("op.change"), change),
    can("account.passwd") && make(t("op.set_password"), setPassword),
    can("kick") && found.session && make(t("op.kick"), kick),
    found.suspended === null
      ? can("account.suspend") && make(t("op.suspend"), suspend, "danger")
      : can("account.resume") && make(t("op.resume"), resume),
    can("account.delete") && button(t("op.delete"), async () => {
      if (await deleteAccount(found)) location.hash = hash("people");
    }, "danger"));
}

function session(one) {
  return card(t("op.session"), facts([
    [t("op.status"), t(`op.status.${one.status}`)],
    [t("op.over"), one.over.toUpperCase()],
    [t("op.from"), h("code", {}, one.peer)],
    [t("op.for"), span(one.seconds)],
  ]));
}

function profile(entries) {
  const names = Object.keys(entries);
  if (!names.length) return nothing(t("op.no_profile"));
  return facts(names.map((name) =>
    [t(`op.field.${name}`), h("span", { dir: "auto" }, entries[name])]));
}

function friends(found, can, look) {
  const link = (uin) => h("a", { href: hash("people", uin) }, String(uin));
  const asked = (words, uins) => uins.length > 0
    && h("p", {}, words, " ", uins.map((uin) => [link(uin), " "]));
  const rows = found.friends.map((uin) => h("li", { class: "row" },
    h("span", { class: "spread" }, link(uin)),
    can("account.unfriend") && button(t("op.part"),
      async () => (await part(found, uin)) && look(), "small",
      { "aria-label": t("op.part_from", { uin }), "data-key": `part-${uin}` })));
  return card(t("op.friends", { count: found.friends.length }),
    rows.length ? longList(rows) : nothing(t("op.no_friends")),
    asked(t("op.asked_by"), found.asked_by), asked(t("op.has_asked"), found.has_asked),
    can("account.friend") && button(t("op.befriend"),
      async () => (await befriend(found)) && look(), "", { "data-key": "befriend" }));
}

const SHOWN = 20;

/** The first rows, and the rest when asked for. */
function longList(rows) {
  const element = h("ul", { class: "list" }, rows.slice(0, SHOWN));
  if (rows.length <= SHOWN) return element;
  const all = button(t("op.show_all", { count: rows.length }), () => {
    fill(element, rows);
    all.remove();
  });
  return [element, all];
}

function devices(found, can, look) {
  const rows = found.devices.map((one) => h("li", { class: "row" },
    h("span", { class: "spread" }, h("b", { dir: "auto" }, one.name), " ",
      h("span", { class: "muted small-text" }, one.last_seen === null
        ? t("op.never_here") : [t("op.last_seen"), " ", time(one.last_seen)])),
    can("device.revoke") && button(t("op.revoke"),
      async () => (await revoke(found, one.name)) && look(), "small danger",
      { "aria-label": `${t("op.revoke")}: ${one.name}`, "data-key": `device-${one.name}` })));
  return card(t("op.devices"),
    rows.length ? h("ul", { class: "list" }, rows) : nothing(t("op.no_devices")),
    can("device.add") && button(t("op.add_device"),
      async () => (await addDevice(found)) && look(), "", { "data-key": "add-device" }));
}
