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
