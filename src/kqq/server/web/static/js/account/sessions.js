// Where somebody is signed in: the one session of the protocol, and browsers.

import { api } from "../common/api.js";
import { ago, moment } from "../common/time.js";
import { t } from "../common/words.js";
import { agentName } from "./agents.js";
import { icon } from "./icons.js";
import { button, el } from "./live.js";
import { confirm, date, load, part, row, toast } from "./parts.js";

const TRANSPORTS = new Set(["tcp", "tls", "http", "web"]);

/** @param {any} account */
export function sessions(account) {
  const place = el("div");
  const element = part("sessions", el("p", { class: "muted" }, () => t("sessions.words")), place);

  const refresh = () => load(account, place, () => api.get("/api/me/sessions"), draw);

  function draw({ session, visits }) {
    const others = visits.filter((one) => !one.is_this);
    return [
      el("h2", { class: "above" }, () => t("sessions.protocol")),
      session
        ? el("ul", { class: "list card things" }, signedIn(session))
        : el("p", { class: "card muted" }, () => t("sessions.none")),
      el("h2", { class: "above" }, () => t("sessions.browsers")),
      el("ul", { class: "list card things" }, visits.map(browser)),
      others.length > 1
        && button("sessions.end_all", () => endAll(others), "danger below"),
    ];
  }

  function signedIn({ over, peer, status, seconds }) {
    const since = Date.now() - seconds * 1000;
    const transport = TRANSPORTS.has(over) ? `sessions.over_${over}` : "sessions.over";
    const state = `status.${String(status).toLowerCase().replaceAll("-", "_")}`;
    return row({
      icon: icon(over === "web" ? "browser" : "phones"),
      name: el("span", {}, () => t(transport, { over })),
      more: [
        el("span", {}, () => (t(state) === state ? String(status) : t(state))),
        " · ",
        el("span", { class: "mono" }, peer),
        " · ",
        el("span", {}, () => t("sessions.since", { when: ago(since) })),
      ],
      buttons: button("sessions.end", endSession, "small danger", {
        "aria-label": () => t("sessions.end_session"),
      }),
    });
  }

  function browser(visit) {
    const { agent, host, created, seen, is_this: isThis } = visit;
    return row({
      icon: icon("browser"),
      name: [
        el("span", { title: agent }, agentName(agent) || (() => t("sessions.some_browser"))),
        isThis && [" ", el("span", { class: "badge good" }, () => t("sessions.this"))],
      ],
      more: [
        el("span", { class: "mono" }, host),
        " · ",
        el("span", {}, () => t("sessions.seen", { when: ago(date(seen)) })),
        " · ",
        el("span", {}, () => t("sessions.created", { when: moment(date(created)) })),
      ],
      buttons: isThis
        ? button("account.sign_out", () => account.signOut(), "small")
        : button("sessions.end", () => end(visit), "small danger", {
          "aria-label": () => t("sessions.end_name", { name: agentName(agent), host }),
        }),
    });
  }

  async function asked(question) {
    if (!(await confirm({ yes: "sessions.end", ...question }))) return;
    toast("sessions.ended");
    await refresh();
    element.querySelector("h1").focus();
  }

  const endSession = () => asked({
    title: "sessions.end_session",
    words: "sessions.end_session_words",
    work: () => api.del("/api/me/session"),
  });
  const end = ({ id, agent, host }) => asked({
    title: "sessions.end_title",
    words: "sessions.end_words",
    values: { name: agentName(agent) || host, host },
    work: () => api.del(`/api/me/visits/${id}`),
  });
  const endAll = (others) => asked({
    title: "sessions.end_all",
    words: "sessions.end_all_words",
    values: { many: others.length },
    work: () => Promise.all(others.map((one) => api.del(`/api/me/visits/${one.id}`))),
  });

  return { name: "sessions", element, enter: refresh };
}
