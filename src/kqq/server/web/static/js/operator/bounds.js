// Bounds of what is typed; the server checks them, this only keeps the page from offering more.

/** Characters of a text at most, and a number at most, by action and argument. */
export const MOST = {
  "account.add": { nick: 64 },
  "account.invite": { uses: 100_000, days: 3650, note: 200 },
  "account.list": { search: 64 },
  "account.suspend": { reason: 200 },
  announce: { text: 16_000 },
  deeds: { who: 64 },
  "device.add": { name: 32 },
  kick: { reason: 200 },
  "token.add": { name: 32, days: 3650 },
  why: { who: 64 },
};
