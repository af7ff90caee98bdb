// Light, dark, or what the system says.

const KEY = "kqq.theme";

/** Return "auto", "light" or "dark". */
export function theme() {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : "auto";
  } catch {
    return "auto";
  }
}

/** Choose one of the three, also for the next time. */
export function setTheme(chosen) {
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // It holds until the page is closed.
  }
  show(chosen);
}

/** Have the page look as was chosen. */
export function show(chosen = theme()) {
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
