// The notes of a page: errors are shown where a screen reader announces them.

import { icon, make } from "./dom.js";

const place = () => document.querySelector("#notes");

/** Make a note that something went wrong. */
export function errorNote(message) {
  // The server's messages begin in lower case, as those of programs do.
  const sentence = message.charAt(0).toUpperCase() + message.slice(1);
  return make("p", { class: "note note-bad", role: "alert" }, icon("warning"), sentence);
}

/** Show an error. */
export function showError(error) {
  place().replaceChildren(errorNote(error.message));
  place().scrollIntoView({ block: "nearest" });
}

/** Do something, and show its error if it fails; return whether it worked. */
export async function attempt(work) {
  try {
    place().replaceChildren();
    await work();
    return true;
  } catch (error) {
    showError(error);
    return false;
  }
}
