// What the keys do, for who asks.

import { h } from "../common/dom.js";
import { t } from "../common/words.js";
import { openDialog } from "./dialog.js";

/** How the key for commands is called here. */
export const CONTROL = /Mac|iPhone|iPad/u.test(navigator.platform) ? "⌘" : "Ctrl";

const KEYS = [
  [`${CONTROL} K  /`, "find"],
  ["Alt ↑  Alt ↓", "beside"],
  ["↑ ↓  Enter", "roster"],
  ["Enter", "send"],
  ["Shift Enter", "line"],
  ["PgUp  PgDn", "scroll"],
  ["Esc", "back"],
  ["F2", "wire"],
  ["F1", "keys"],
];

/** Say what the keys do. */
export function openKeys() {
  openDialog({
    title: t("keys.title"),
    body: h(
      "dl",
      { class: "keys" },
      KEYS.map(([keys, name]) => [
        h(
          "dt",
          {},
          keys.split("  ").map((one) => [h("kbd", {}, one), " "]),
        ),
        h("dd", {}, t(`chat.key_${name}`)),
      ]),
    ),
  });
}
