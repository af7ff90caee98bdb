// Requests to the server, as JSON. Who is signed in is known by a cookie that no script can read;
// what changes something carries a word that only our own pages know.

import { rememberOne } from "./last.js";

/** A request that was refused, or did not reach the server (`code` is "offline" then). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} why
   * @param {Record<string, any>} [body]
   */
  constructor(status, code, why, body = {}) {
    super(why || code);
    this.status = status;
    this.code = code;
    this.why = why;
    this.body = body;
  }
}

let csrf = "";

/** Say which word requests carry from now on: that of `GET /api/me`, "" once nobody is signed in. */
export function setCsrf(word) {
  csrf = word;
  if (!word) rememberOne(null);
}

async function request(method, path, body) {
  const headers = {};
  if (method !== "GET") headers["X-CSRF"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (error) {
    throw new ApiError(0, "offline", String(error));
  }
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const found = isJson ? await response.json() : {};
  if (!response.ok) {
    throw new ApiError(response.status, found.error ?? "failed", found.why ?? "", found);
  }
  return found;
}

/** Four ways to ask; each gives the JSON of the answer, or throws an ApiError. */
export const api = {
  get: (path) => request("GET", path),
  post: (path, body = {}) => request("POST", path, body),
  patch: (path, body = {}) => request("PATCH", path, body),
  del: (path, body) => request("DELETE", path, body),
};

/** Return who is signed in here, and have requests carry their word; null if nobody is. */
export async function whoAmI() {
  try {
    const me = await api.get("/api/me");
    setCsrf(me.csrf);
    return me;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      setCsrf("");
      return null;
    }
    throw error;
  }
}
