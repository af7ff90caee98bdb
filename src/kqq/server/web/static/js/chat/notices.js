// Telling somebody who looks elsewhere that a message came: the title, a tone, a desktop notice.

import { t } from "../common/words.js";
import { oneLine } from "./names.js";
import { choose, preference } from "./preferences.js";
import { sound } from "./sounds.js";

const NAME = "kqq";
const LONGEST = 160;

/** Whether this browser has notices at all; pages over plain HTTP have none. */
export function hasNotices() {
  return "Notification" in globalThis && globalThis.isSecureContext;
}

/** Ask for the right to show notices; only a button may call this. Return whether it was given. */
export async function wantNotices() {
  if (!hasNotices()) return false;
  const is = (await Notification.requestPermission()) === "granted";
  choose("notices", is);
  return is;
}

/**
 * Tell of messages that were not seen.
 * @param {import("./talks.js").Talks} talks
 * @param {(uin: number) => any} open
 * @param {AbortSignal} signal of the end of the page
 */
export function tellOfMessages(talks, open, signal) {
  talks.addEventListener("message", ({ detail: { message, isSeen } }) => {
    if (message.own || isSeen) return;
    sound();
    if (document.visibilityState !== "visible" || !document.hasFocus()) {
      show(talks.name(message.peer), message, open);
    }
  });
  talks.addEventListener("rows", () => showCount(talks.unread));
  const opening = ({ data }) => Number.isSafeInteger(data?.open) && open(data.open);
  navigator.serviceWorker?.addEventListener("message", opening, { signal });
}

let count = 0;

/** Show in the title, and on the installed page's icon, how many messages were not seen. */
export function showCount(unread = count) {
  if (unread !== count) {
    if (unread) navigator.setAppBadge?.(unread).catch(() => {});
    else navigator.clearAppBadge?.().catch(() => {});
  }
  count = unread;
  const title = unread ? `(${unread}) ${NAME}` : NAME;
  if (document.title !== title) document.title = title;
}

async function show(name, message, open) {
  if (!preference("notices") || !hasNotices() || Notification.permission !== "granted") return;
  const how = {
    body: oneLine(message.text, LONGEST),
    tag: `kqq-${message.peer}`,
    icon: "/static/icons/kqq-192.png",
    data: { uin: message.peer },
    silent: true, // the tone is our own
  };
  const title = t("chat.notice_title", { name });
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker?.active) {
    await worker.showNotification(title, how); // phones know no other way
    return;
  }
  const notice = new Notification(title, how);
  notice.onclick = () => {
    globalThis.focus();
    open(message.peer);
    notice.close();
  };
}
