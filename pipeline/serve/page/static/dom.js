// Elements made in code. Data becomes text, never markup.

import { text } from "./strings.js";

/** Whether the visitor wants nothing to move by itself. */
export const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Make an element.
 *
 * @param {string} tag Its name.
 * @param {Object<string, string|number|boolean|null|undefined>} [attributes] Attributes; true stands for an attribute
 *   without a value, and false, null and undefined for none.
 * @param {...(Node|string|null|undefined)} children Content; strings become text.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const icons = new URL("icons.svg", import.meta.url).pathname;

/** Make a part of a drawing (SVG). */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Make an icon, which screen readers skip. */
export function icon(name) {
  return draw("svg", { class: "icon", "aria-hidden": "true" }, draw("use", { href: `${icons}#${name}` }));
}

/** Put an icon in place of a picture that cannot be shown, as when the file of its video is gone. */
export function replaceMissing(picture) {
  picture.replaceWith(make("span", { class: "no-picture" }, icon("film")));
}

/** Make a button with an icon and, unless it is hidden, a label. */
export function button(label, { name = null, isQuiet = false, pressed = null, keys = null, kind = "" } = {}) {
  const element = make("button", {
    type: "button",
    class: `button ${name && isQuiet ? "button-icon" : ""} ${kind}`.trim(),
    "aria-pressed": pressed,
    "aria-keyshortcuts": keys,
    title: isQuiet ? label : null,
  });
  if (name) element.append(icon(name));
  element.append(make("span", { class: isQuiet ? "hidden-text" : null }, label));
  return element;
}

const COPIED_MILLISECONDS = 2000;

/** Copy an address, and say so for a while on the button that was pressed. */
export async function copyTo(control, address) {
  const label = control.querySelector("span");
  try {
    await navigator.clipboard.writeText(address);
    label.textContent = text("copied");
  } catch {
    label.textContent = text("copy_failed");
  }
  setTimeout(() => (label.textContent = text("copy_link")), COPIED_MILLISECONDS);
}

const CONTROLS = "a[href], button:not(:disabled), input:not(:disabled), textarea, select, summary";

/**
 * Do what draws a part of the page anew; the focus passes to what is now in the place of the control that had it.
 *
 * @param {HTMLElement} place The part of the page.
 * @param {() => unknown} draw Draws it; it may return a promise.
 * @param {HTMLElement|null} [otherwise] What gets the focus where no control is left.
 */
export async function keepingFocus(place, draw, otherwise = null) {
  const controls = () => [...place.querySelectorAll(CONTROLS)].filter((one) => one.checkVisibility());
  const at = place.contains(document.activeElement) ? controls().indexOf(document.activeElement) : -1;
  await draw();
  if (at < 0 || document.activeElement !== document.body) return;
  const left = controls();
  (left[Math.min(at, left.length - 1)] ?? otherwise)?.focus();
}

/** Wait for the next drawn picture of the page. */
export function drawn() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}
