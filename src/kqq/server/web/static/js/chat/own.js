// The bar above the roster: oneself, one's status, and what one can do.

import { fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { iconButton, openMenu, toast } from "./dialog.js";
import { whyNot } from "./friends.js";
import { icon } from "./icons.js";
import { named } from "./names.js";
import { portrait, statusWords } from "./roster.js";

/** What one can choose; "offline" is what one is without a connection. */
const STATUSES = ["online", "call_me", "away", "busy", "do_not_disturb", "hidden"];

/** The bar. */
export class OwnBar {
  /**
   * @param {import("./talks.js").Talks} talks
   * @param {{add: () => any, wire: () => any, settings: () => any, isWireOpen: () => boolean}} does
   */
  constructor(talks, does) {
    this.talks = talks;
    this.does = does;
    this.element = h("header", { class: "bar me-bar" });
    const { messenger, me } = talks;
    messenger.addEventListener("phase", () => this.redraw());
    messenger.addEventListener("presence", ({ detail }) => {
      if (detail.uin === me.uin) this.redraw();
    });
  }

  /** Draw it. */
  redraw() {
    const { me, messenger } = this.talks;
    const { does, element } = this;
    const status = messenger.phase === "online" ? messenger.status : "offline";
    const active = document.activeElement;
    const focused = element.contains(active) ? active.dataset.part : null;
    const own = h(
      "button",
      {
        type: "button",
        class: "who",
        "aria-haspopup": "menu",
        "data-part": "me",
        title: t("chat.your_status"),
        onclick: () => this.statusMenu(),
      },
      portrait({ ...me, status }),
      h(
        "span",
        { class: "lines" },
        h("strong", { class: "name cut" }, named(me)),
        h("span", { class: "muted small-text cut" }, statusWords(status)),
      ),
    );
    fill(
      element,
      own,
      iconButton("add", t("friends.add"), does.add, { "data-part": "add" }),
      iconButton("wire", t("wire.title"), does.wire, {
        "data-part": "wire",
        "aria-pressed": String(does.isWireOpen()),
      }),
      iconButton("gear", t("settings.title"), does.settings, { "data-part": "settings" }),
    );
    if (focused) this.focus(focused);
  }

  /** Have the keys go to a part of it. */
  focus(part) {
    this.element.querySelector(`[data-part="${part}"]`)?.focus();
  }

  /** Let somebody choose their own status. */
  statusMenu() {
    const { messenger } = this.talks;
    const items = STATUSES.map((name) => ({
      label: statusWords(name),
      icon: h("span", { class: `presence ${name}`, "aria-hidden": "true" }),
      checked: messenger.status === name,
      action: () => this.#choose(name),
    }));
    const profile = { label: t("chat.own_profile"), icon: icon("person", 18), href: "/account" };
    openMenu(this.element.querySelector(".who"), [...items, null, profile], t("chat.your_status"));
  }

  async #choose(name) {
    try {
      await this.talks.messenger.setStatus(name);
    } catch (error) {
      toast(whyNot(error));
    }
  }
}
