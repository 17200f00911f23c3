// Keys of the page.

const TYPING = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";

/**
 * Call functions for keys, unless somebody types or a modifier key is held.
 *
 * @param {Object<string, (event: KeyboardEvent) => (boolean|void)>} actions By key, as KeyboardEvent.key has it; a
 *   function that returns false leaves the key to the browser.
 */
export function listenForKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : null;
    if (event.key !== "Escape" && target?.closest(TYPING)) return;
    if (document.querySelector("dialog[open]")) return;
    // Space and Enter press the button that has the focus; arrows move a slider.
    if ((event.key === " " || event.key === "Enter") && target?.closest("button, a, summary, input")) return;
    if (event.key.startsWith("Arrow") && target?.closest("input, [role=slider]")) return;
    // With caps lock, "j" arrives as "J".
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (action && action(event) !== false) event.preventDefault();
  });
}
