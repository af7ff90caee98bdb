// What somebody has chosen for this browser.

const KEY = "kqq.chat";
const USUAL = { sound: true, notices: false, skin: "modern", wire: false };

/** Tells "change" when something else was chosen. */
export const preferences = new EventTarget();

let chosen = { ...USUAL, ...stored() };

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return Object.fromEntries(
      Object.entries(found).filter(([name, value]) => typeof value === typeof USUAL[name]),
    );
  } catch {
    return {};
  }
}

/**
 * Return what was chosen: "sound", "notices" and "wire" are true or false, "skin" is "modern" or
 * "handset".
 * @param {keyof typeof USUAL} name
 */
export function preference(name) {
  return chosen[name];
}

/** Choose something, also for the next time. */
export function choose(name, value) {
  chosen = { ...chosen, [name]: value };
  try {
    localStorage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // It holds until the page is closed.
  }
  preferences.dispatchEvent(new CustomEvent("change", { detail: { name, value } }));
}

const WHO = "kqq.who";

/** Return who was signed in here last, to show what is kept while the server cannot be reached. */
export function lastOne() {
  try {
    const found = JSON.parse(localStorage.getItem(WHO) ?? "null");
    return Number.isSafeInteger(found?.uin) ? found : null;
  } catch {
    return null;
  }
}

/** Remember who is signed in; null forgets. */
export function rememberOne(me) {
  try {
    if (me)
      localStorage.setItem(WHO, JSON.stringify({ uin: me.uin, nick: me.nick, face: me.face }));
    else localStorage.removeItem(WHO);
  } catch {
    // Then the page needs the server each time.
  }
}
