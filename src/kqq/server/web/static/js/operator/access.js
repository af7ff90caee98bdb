// What a role may do; the server decides, this only keeps the page from offering more.

/** The roles, lowest first. */
export const ROLES = ["observer", "moderator", "administrator"];

const MODERATOR = new Set([
  "account.invite", "account.resume", "account.suspend", "announce", "kick",
]);
const READING = new Set([
  "account.export", "account.invitations", "account.list", "account.show", "account.which",
  "deeds", "device.list", "limits.show", "operator.list", "sessions", "status", "token.list",
  "trends", "why",
]);

/**
 * Return whether who has `role` may do `action`; the live lines are the action "wire".
 * @param {string|null} role
 * @param {string} action
 * @returns {boolean}
 */
export function may(role, action) {
  if (role === "administrator") return true;
  if (role === "moderator") return MODERATOR.has(action) || READING.has(action);
  return role === "observer" && READING.has(action);
}

/** The same of an action on an account whose own role is `theirs`, if it has one. */
export function mayTo(role, action, theirs) {
  const isFree = READING.has(action) || role === "administrator"
    || ROLES.indexOf(theirs) < ROLES.indexOf(role);
  return isFree && may(role, action);
}
