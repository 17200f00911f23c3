// Saved searches: one to save beside the answers, and the list of all on the start page.

import { api } from "../api.js";
import { NAME_PATTERN } from "../cases.js";
import { button, icon, keepingFocus, make } from "../dom.js";
import { Question } from "../question.js";
import { text } from "../strings.js";

/**
 * Fires `chosen` with a question as its detail.
 */
export class SavedSearches extends HTMLElement {
  connectedCallback() {
    if (this._list) return;
    /** Known values of metadata, by name. */
    this.metadata = {};
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
    if (this._isSaving) return;
    this._isSaving = true;
    const name = this._name.value.trim();
    const { top: _top, page: _page, ...query } = this._question.toJson({ metadata: this.metadata });
    try {
      if (await put(name, query)) {
        this._message.textContent = text("saved_done");
        this._form.hidden = true;
        this._open.hidden = false;
        this._open.focus();
      }
    } catch (error) {
      this._message.textContent = error.message;
    }
    this._isSaving = false;
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
      if (!confirm(text("saved_remove_sure", { name: saved.name }))) return;
      try {
        await api(`/searches/${encodeURIComponent(saved.name)}`, { method: "DELETE" });
        keepingFocus(this._list, () => item.remove(), document.querySelector("#box"));
      } catch (error) {
        this._message.textContent = error.message;
      }
    });
    return item;
  }
}

/** Save a question under a name; return false if the name is taken and shall stay so. */
async function put(name, query) {
  const path = `/searches/${encodeURIComponent(name)}`;
  try {
    await api(path, { method: "PUT", json: { query }, headers: { "If-None-Match": "*" } });
  } catch (error) {
    if (error.status !== 412) throw error;
    if (!confirm(text("saved_replace_sure", { name }))) return false;
    const [{ description }, version] = await api(path, { isTagged: true });
    await api(path, { method: "PUT", json: { query, description }, headers: { "If-Match": version } });
  }
  return true;
}

customElements.define("saved-searches", SavedSearches);
