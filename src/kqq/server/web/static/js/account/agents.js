// What browsers say that they are, in few words. Nothing depends on it.

const BROWSERS = [
  ["Edge", /\bEdg(?:e|A|iOS)?\//],
  ["Opera", /\bOPR\/|\bOpera\b/],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(?:Firefox|FxiOS)\//],
  ["Chrome", /(?:Chrome|CriOS|Chromium)\//],
  ["Safari", /\bSafari\//],
];
const SYSTEMS = [
  ["Android", /\bAndroid\b/],
  ["iPhone", /\biPhone\b/],
  ["iPad", /\biPad\b/],
  ["Windows", /\bWindows\b/],
  ["macOS", /\bMac OS X\b/],
  ["ChromeOS", /\bCrOS\b/],
  ["Linux", /\bLinux\b/],
];
const LONGEST = 60;

const named = (table, agent) => table.find(([, pattern]) => pattern.test(agent))?.[0];

/**
 * Return browser and system of a User-Agent, such as "Firefox · Linux"; its beginning if it is none
 * that is known, "" if there is nothing.
 * @param {string} agent
 */
export function agentName(agent) {
  const found = [named(BROWSERS, agent), named(SYSTEMS, agent)].filter(Boolean);
  return found.length > 0 ? found.join(" · ") : agent.slice(0, LONGEST);
}
