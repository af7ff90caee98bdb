// Where one is on the page: `#people/10001` or `#wire?uin=10001`.

/**
 * Read a hash; what cannot be read is the overview.
 * @param {string} hash
 * @returns {{view: string, what: string, values: URLSearchParams}}
 */
export function place(hash) {
  const [path, query] = hash.replace(/^#/, "").split("?", 2);
  const [view, what] = path.split("/", 2);
  return {
    view: view || "overview",
    what: decoded(what ?? ""),
    values: new URLSearchParams(query ?? ""),
  };
}

/**
 * Write a hash that `place` reads.
 * @param {string} view
 * @param {string|number} [what]
 * @param {Record<string, string|number|null|undefined>} [values]
 */
export function hash(view, what = "", values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const path = what === "" ? view : `${view}/${encodeURIComponent(what)}`;
  const more = query.toString();
  return `#${path}${more ? `?${more}` : ""}`;
}

/** Return the code of the first administrator's link, "" if it is none. */
export function firstCode(text) {
  return decoded(/^#first=([^&]+)$/.exec(text)?.[1] ?? "");
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // it was no encoding after all
  }
}
