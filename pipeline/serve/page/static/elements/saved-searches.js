// Saved searches: one to save beside the answers, and the list of all on the start page.

import { api } from "../api.js";
import { NAME_PATTERN } from "../cases.js";
import { button, icon, make } from "../dom.js";
import { Question } from "../question.js";
import { text } from "../strings.js";

/**
 * Fires `chosen` with a question as its detail.
 */
export class SavedSearches extends HTMLElement {
  connectedCallback() {
    if (this._list) return;
    this._list = make("ul", { class: "saved-list", "aria-label": text("saved_list") });
    this._message = make("p", { class: "quiet", role: "status" });
    this._name = make("input", { name: "search", placeholder: text("saved_hint"), "aria-label": text("saved_name"), maxlength: 100, autocomplete: "off", required: true, pattern: NAME_PATTERN, title: text("name_title") });
    this._open = button(text("saved_save"), { name: "star" });
    this._form = make("form", { hidden: true }, this._name, make("button", { class: "button", type: "submit" }, text("saved_confirm")));
    this._row = make("div", { class: "saved-row", hidden: true, "data-writes": true }, this._open, this._form, this._message);
    document.querySelector("#save").append(this._row);
    this.append(this._list);
    this._open.addEventListener("click", () => {
      this._form.hidden = false;
      this._open.hidden = true;
      this._name.focus();
    });
    this._form.addEventListener("submit", (event) => {
      event.preventDefault();
      this._save();
    });
  }

  /** The question that is shown; null on the start page. */
  set question(question) {
    if (!this._list) return;
    this._question = question;
    this._row.hidden = question === null;
    this._list.hidden = question !== null;
    this._form.hidden = true;
    this._open.hidden = false;
    this._message.textContent = "";
    if (question === null) this._show();
  }

  async _save() {
    const { top: _top, page: _page, ...query } = this._question.toJson();
    try {
      const path = `/searches/${encodeURIComponent(this._name.value.trim())}`;
      await api(path, { method: "PUT", json: { query } });
      this._message.textContent = text("saved_done");
      this._form.hidden = true;
    } catch (error) {
      this._message.textContent = error.message;
    }
  }

  async _show() {
    const { searches } = await api("/searches?limit=100").catch(() => ({ searches: [] }));
    this._list.replaceChildren(...searches.map((saved) => this._item(saved)));
  }

  _item(saved) {
    const choose = button(saved.name, { name: "star" });
    choose.classList.add("saved-name");
    const question = Question.ofJson(saved.query);
    choose.disabled = question === null;
    choose.title = question === null ? text("saved_unknown") : saved.description;
    choose.addEventListener("click", () => this.dispatchEvent(new CustomEvent("chosen", { detail: question })));
    const remove = make("button", { type: "button", class: "button button-icon", "data-writes": true, title: text("saved_remove", { name: saved.name }) }, icon("close"), make("span", { class: "hidden-text" }, text("saved_remove", { name: saved.name })));
    const item = make("li", {}, choose, remove);
    remove.addEventListener("click", async () => {
      try {
        await api(`/searches/${encodeURIComponent(saved.name)}`, { method: "DELETE" });
        item.remove();
      } catch (error) {
        this._message.textContent = error.message;
      }
    });
    return item;
  }
}

customElements.define("saved-searches", SavedSearches);
