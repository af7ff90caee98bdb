// Who was signed in here last, and what they had begun to write: all that a page shows of somebody
// while the server cannot be asked. Whoever signs out, on whatever page, takes it along.

const WHO = "kqq.who";
/** Where the chat keeps what was begun, for as long as the tab is open. */
export const DRAFTS = "kqq.drafts";

/** Return who was signed in here last, to show what is kept while the server cannot be reached. */
export function lastOne() {
  try {
    const found = JSON.parse(localStorage.getItem(WHO) ?? "null");
    return Number.isSafeInteger(found?.uin) ? found : null;
  } catch {
    return null;
  }
}

/** Remember who is signed in; if it was somebody else before, or is nobody (null), forget them. */
export function rememberOne(me) {
  try {
    if (me?.uin !== lastOne()?.uin) sessionStorage.removeItem(DRAFTS);
    if (me)
      localStorage.setItem(WHO, JSON.stringify({ uin: me.uin, nick: me.nick, face: me.face }));
    else localStorage.removeItem(WHO);
  } catch {
    // Then the page needs the server each time.
  }
}
