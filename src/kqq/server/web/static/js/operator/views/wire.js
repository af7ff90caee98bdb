// The wire: what clients say and are told, line by line, as it goes by.

import { h, fill } from "../../common/dom.js";
import { t } from "../../common/words.js";
import { ask } from "../dialogs.js";
import { button, choice, field, heading, number, readUin, say } from "../parts.js";
import { hash } from "../place.js";
import { wireAddress } from "../server.js";
import { explanation } from "../wire_line.js";
import { lines } from "../wire_lines.js";

const AGAIN = 3000; // ms until another try after the connection ended
const PAUSE = 300; // ms after the last key in a filter

/** Make the view; `uin` in the hash is the number to watch. */
export function wireView({ values, signal }) {
  let [socket, withTexts, isPaused, lost, again] = [null, false, false, 0, 0];
  const uin = h("input", {
    inputmode: "numeric", autocomplete: "off", value: values.get("uin") ?? "", maxlength: 10,
  });
  const command = h("input", {
    autocomplete: "off", spellcheck: "false", autocapitalize: "off", maxlength: 40,
  });
  const way = choice([["", t("op.both_ways")], ["in", t("op.from_clients")],
    ["out", t("op.to_clients")]], "");
  const state = h("span", { class: "state", role: "status" });
  const missed = h("p", { class: "note warn", hidden: true });
  const warning = h("p", { class: "note warn", hidden: true }, t("op.texts_shown"));
  const detail = h("aside", { class: "card detail", "aria-label": t("op.explained") },
    h("p", { class: "muted" }, t("op.choose_line")));
  const shown = lines((line) => explanation(detail, line));
  const pause = button("", () => setPaused(!isPaused), "small", { "data-key": "pause" });
  const texts = button("", askForTexts, "small", { "data-key": "texts" });

  const setState = (key, kind) => {
    state.className = `state ${kind}`;
    fill(state, t(key));
  };
  function setPaused(shall) {
    isPaused = shall;
    pause.setAttribute("aria-pressed", String(shall));
    count();
    if (!shall) shown.showWaiting();
  }
  function count() {
    const waiting = shown.waiting();
    fill(pause, isPaused && waiting ? t("op.go_on_with", { count: number(waiting) })
      : t(isPaused ? "op.go_on" : "op.pause"));
  }
  function addLost(many) {
    lost += many;
    missed.hidden = lost === 0;
    fill(missed, t("op.lost", { count: number(lost) }));
  }
  function clear() {
    shown.clear();
    addLost(-lost);
    count();
    fill(detail, h("p", { class: "muted" }, t("op.choose_line")));
  }
  async function askForTexts() {
    if (!withTexts) {
      const yes = await ask({
        title: t("op.show_texts"), words: t("op.show_texts_hint"), yes: t("op.show_texts"),
        danger: true, work: async () => true,
      });
      if (!yes || signal.aborted) return;
    }
    setTexts(!withTexts);
    connect();
  }
  function setTexts(shall) {
    withTexts = shall;
    texts.setAttribute("aria-pressed", String(shall));
    fill(texts, t(shall ? "op.hide_texts" : "op.show_texts"));
    warning.hidden = !shall;
  }

  function wanted() {
    let who = null;
    try {
      who = uin.value.trim() ? readUin(uin.value) : null;
      uin.removeAttribute("aria-invalid");
    } catch {
      uin.setAttribute("aria-invalid", "true");
    }
    return { uin: who, command: command.value.trim() || null, way: way.value || null };
  }
  function filter() {
    const { uin: who } = wanted();
    history.replaceState(null, "", hash("wire", "", { uin: who }));
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wanted()));
  }
  function connect() {
    clearTimeout(again);
    socket?.close();
    const mine = new WebSocket(wireAddress(withTexts));
    socket = mine;
    setState("op.connecting", "");
    mine.addEventListener("open", () => {
      if (mine !== socket) return;
      setState("op.watching", "good");
      filter();
    });
    mine.addEventListener("message", (event) => {
      if (mine !== socket) return;
      const found = JSON.parse(event.data);
      if (found.lost !== undefined) addLost(found.lost);
      else if (found.error !== undefined) say(found.why, "bad");
      else if (found.line !== undefined) {
        shown.add(found, isPaused);
        if (isPaused) count();
      }
    });
    mine.addEventListener("close", (event) => {
      if (mine !== socket || signal.aborted) return;
      if (event.code === 4001) {
        document.dispatchEvent(new CustomEvent("signed-out"));
        return;
      }
      setState("op.connection_lost", "bad");
      again = setTimeout(connect, AGAIN);
    });
  }

  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => signal.aborted || filter(), PAUSE);
  };
  uin.addEventListener("input", soon);
  command.addEventListener("input", soon);
  way.addEventListener("change", filter);
  signal.addEventListener("abort", () => {
    clearTimeout(again);
    socket?.close();
  });
  setPaused(false);
  setTexts(false);
  connect();
  return h("div", { class: "stack wire" }, heading(t("op.nav.wire"), state),
    h("p", { class: "muted" }, t("op.wire_hint")),
    h("div", { class: "filters" }, field(t("op.number"), uin), field(t("op.command"), command),
      field(t("op.way"), way)),
    h("div", { class: "line-up" }, pause, button(t("op.clear"), clear, "small"), texts),
    warning, missed,
    h("div", { class: "halves" }, shown.element, detail));
}
