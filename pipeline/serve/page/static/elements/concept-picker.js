// The concepts of the library, to ask for one of them.

import { api } from "../api.js";
import { button, icon } from "../dom.js";
import { text } from "../strings.js";

/**
 * Fires `picked` with the name of a concept as its detail.
 */
export class ConceptPicker extends HTMLElement {
  async connectedCallback() {
    if (this._opener) return;
    this._opener = document.querySelector("[data-concepts]");
    this._opener.addEventListener("click", () => {
      this.hidden = !this.hidden;
      this._opener.setAttribute("aria-expanded", String(!this.hidden));
      if (!this.hidden) this.querySelector("button")?.focus();
    });
    const { concepts } = await api("/concepts").catch(() => ({ concepts: [] }));
    this._opener.hidden = concepts.length === 0;
    this.replaceChildren(...concepts.filter((concept) => concept.is_of_encoder).map((concept) => this._choice(concept)));
  }

  _choice(concept) {
    const choice = button(concept.name);
    choice.title = text("concepts_subject", { subject: concept.subject });
    choice.prepend(icon("concept"));
    choice.addEventListener("click", () => {
      this._opener.focus();
      this.hidden = true;
      this._opener.setAttribute("aria-expanded", "false");
      this.dispatchEvent(new CustomEvent("picked", { detail: concept.name }));
    });
    return choice;
  }
}

customElements.define("concept-picker", ConceptPicker);
