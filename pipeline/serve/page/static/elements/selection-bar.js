// What can be done with the selected moments: a case, clips, a table, a link.

import { addToCase, caseNames, NAME_PATTERN } from "../cases.js";
import { button, copyTo, make } from "../dom.js";
import { counted, text } from "../strings.js";
import { csv, save, saveClips } from "../table.js";

/**
 * Fires `cleared` when nothing shall be selected any more.
 */
export class SelectionBar extends HTMLElement {
  connectedCallback() {
    if (this._count) return;
    this._moments = new Map();
    this._count = make("p", { role: "status" });
    this._name = make("input", { name: "case", list: "known-cases", placeholder: text("case_hint"), "aria-label": text("case_name"), maxlength: 100, autocomplete: "off", required: true, pattern: NAME_PATTERN, title: text("name_title") });
    this._known = make("datalist", { id: "known-cases" });
    this._form = make("form", { "data-writes": true }, this._name, this._known, make("button", { class: "button", type: "submit" }, text("case_add")));
    const clips = button(text("clips"), { name: "download" });
    const table = button(text("table"), { name: "download" });
    const link = button(text("copy_link"), { name: "link" });
    link.title = text("copy_question");
    const clear = button(text("clear"), { name: "close", isQuiet: true });
    this._message = make("p", { class: "quiet", role: "status" });
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", text("selection"));
    this.append(this._count, this._form, clips, table, link, this._message, clear);
    this._form.addEventListener("submit", (event) => {
      event.preventDefault();
      this._addToCase();
    });
    this._name.addEventListener("focus", () => this._listCases(), { once: true });
    clips.addEventListener("click", () => saveClips(this.moments));
    table.addEventListener("click", () => save(csv(this.moments), "moments.csv", "text/csv"));
    link.addEventListener("click", () => copyTo(link, this.address));
    clear.addEventListener("click", () => this.dispatchEvent(new CustomEvent("cleared")));
  }

  /** The selected moments, in the order of their selection. */
  get moments() {
    return [...this._moments.values()].map(({ moment }) => moment);
  }

  /** Address that asks the question again, whichever moment plays now. */
  get address() {
    const address = new URL(location.href);
    address.searchParams.delete("play");
    return address.href;
  }

  /** The question whose answers are shown; cases note it with the moments that are selected among them. */
  set question(words) {
    this._question = words;
  }

  /** Select a moment, or do not select it any more. */
  toggle(moment, isSelected = !this._moments.has(moment.id)) {
    if (isSelected) this._moments.set(moment.id, { moment, question: this._question ?? "" });
    else this._moments.delete(moment.id);
    this._draw();
    return isSelected;
  }

  /** Whether a moment is selected. */
  includes(moment) {
    return this._moments.has(moment.id);
  }

  clear() {
    this._moments.clear();
    this._draw();
  }

  _draw() {
    this.hidden = this._moments.size === 0;
    document.body.classList.toggle("has-selection", !this.hidden);
    this._count.textContent = counted("selected", this._moments.size);
    this._message.textContent = "";
  }

  async _listCases() {
    const names = await caseNames().catch(() => []);
    this._known.replaceChildren(...names.map((name) => make("option", { value: name })));
  }

  async _addToCase() {
    if (this._isAdding) return;
    this._isAdding = true;
    const name = this._name.value.trim();
    try {
      const added = await addToCase(
        name,
        [...this._moments.values()].map(({ moment, question }) => ({ id: moment.id, note: "", question })),
      );
      this._message.replaceChildren(make("a", { href: `/cases/${encodeURIComponent(name)}` }, counted("case_added", added, { name })));
    } catch (error) {
      this._message.textContent = error.message;
    }
    this._isAdding = false;
  }
}

customElements.define("selection-bar", SelectionBar);
