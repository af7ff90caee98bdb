// @ts-check
// Only one page of a browser speaks for a number: two would throw each other out.

const ASKING = 200; // milliseconds in which another page has answered

/**
 * Hold the number `uin` for this page. Returns what lets go of it, or null if another page holds
 * it. With `steal` it is taken from that page, which is told by its `onLost`.
 * @param {number} uin
 * @param {() => void} onLost
 * @param {{steal?: boolean}} [how]
 * @returns {Promise<(() => void) | null>}
 */
export function holdTab(uin, onLost, { steal = false } = {}) {
  const name = `kqq-${uin}`;
  // A page that came over plain HTTP from another machine has no locks.
  return navigator.locks ? lock(name, onLost, steal) : shout(name, onLost, steal);
}

/** @returns {Promise<(() => void) | null>} */
function lock(name, onLost, steal) {
  return new Promise((resolve, reject) => {
    const how = steal ? { steal: true } : { ifAvailable: true };
    let isHeld = false;
    navigator.locks
      .request(name, how, (found) => {
        if (!found) return resolve(null);
        isHeld = true;
        return new Promise((letGo) => {
          resolve(() => {
            isHeld = false;
            letGo(undefined);
          });
        });
      })
      .catch((error) => {
        if (!isHeld) return reject(error);
        isHeld = false; // another page has stolen it
        onLost();
      });
  });
}

/**
 * The same where pages can only tell each other: who holds the number says so when it is asked for,
 * and gives it up when it is taken.
 * @returns {Promise<(() => void) | null>}
 */
async function shout(name, onLost, steal) {
  const channel = new BroadcastChannel(name);
  if (!steal && (await isHeldElsewhere(channel))) {
    channel.close();
    return null;
  }
  channel.onmessage = ({ data }) => {
    if (data === "whose") channel.postMessage("mine");
    if (data === "take") {
      channel.close();
      onLost();
    }
  };
  if (steal) channel.postMessage("take");
  return () => channel.close();
}

/** @returns {Promise<boolean>} */
function isHeldElsewhere(channel) {
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => data === "mine" && resolve(true);
    channel.postMessage("whose");
    setTimeout(() => resolve(false), ASKING);
  });
}
