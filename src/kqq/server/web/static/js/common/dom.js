// Elements, made of text only: what people wrote is never read as markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set([
  "svg", "g", "path", "circle", "ellipse", "rect", "line", "polyline", "polygon", "text", "title",
  "defs", "use", "clipPath", "linearGradient", "stop", "tspan",
]);
const PROPERTIES = new Set(["checked", "disabled", "hidden", "value", "selected", "htmlFor"]);

/**
 * Make an element. In `attributes` a function under `onclick` and the like is a listener, `class`,
 * `data-…` and `aria-…` are attributes, true is an attribute without a value, and false, null and
 * undefined are none. Children are elements, texts, numbers, or lists of these; null is nothing.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...any} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const isSvg = SVG_TAGS.has(tag) && tag !== "title";
  const element = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name) && !isSvg) element[name] = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, String(value));
  }
  append(element, children);
  return element;
}

/** Put children, as `h` takes them, at the end of an element. */
export function append(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Have an element hold these children and nothing else. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, ...children);
}
