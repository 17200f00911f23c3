// The box and the chips: what moments show, what they do not, what comes later, and which videos are searched.

import { frameAddress } from "../api.js";
import { button, icon, keepingFocus, make } from "../dom.js";
import { timecode } from "../format.js";
import { conceptOf, newStep, Question } from "../question.js";
import { text } from "../strings.js";
import { previewOf } from "./picture-drop.js";

const USUAL_WITHIN = 60;

/**
 * Fires `asked` with the question as its detail.
 */
export class QuestionForm extends HTMLElement {
  connectedCallback() {
    if (this._form) return;
    this._chipped = new Question();
    this._form = this.querySelector("form");
    this.box = this.querySelector("#box");
    this._chips = this.querySelector(".chips");
    this._adders = this.querySelector(".adders");
    this._form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this._adders.addEventListener("click", (event) => {
      const kind = event.target.closest("[data-add]")?.dataset.add;
      if (kind) this._add(kind);
    });
    this._absent = this.querySelector("[data-none]");
    this._absent.addEventListener("click", () => {
      this._chipped.none = !this._chipped.none;
      this._draw();
      if (this.question.isEmpty) this.box.focus();
      else this.submit();
    });
  }

  /** Show a question: its first text in the box, everything else as chips. */
  show(question) {
    this._chipped = question.copy();
    const { shows } = this._chipped.steps[0];
    const isText = shows[0]?.text !== undefined && conceptOf(shows[0]) === null;
    this.box.value = isText ? shows.shift().text : "";
    this._draw();
  }

  /** What the form holds now. */
  get question() {
    const question = new Question();
    Object.assign(question, this._chipped);
    const typed = this.box.value.trim();
    const [first, ...later] = this._chipped.steps;
    question.steps = [{ ...first, shows: [...(typed ? [{ text: typed }] : []), ...first.shows] }, ...later];
    return question.copy();
  }

  /** Change filters; they take effect with the next question. */
  setFilters(change) {
    change(this._chipped);
    this._draw();
  }

  /** Ask what the form holds. */
  submit() {
    const asked = this.question;
    if (asked.isEmpty) this.box.focus();
    else this.dispatchEvent(new CustomEvent("asked", { detail: asked }));
  }

  /** Ask for something that looks like this, and for nothing else. */
  askFor(term) {
    this._chipped.steps = [newStep()];
    this._chipped.none = false;
    this._chipped.steps[0].shows = [term];
    this.box.value = "";
    this._draw();
    this.submit();
  }

  /** Ask again, without what looks like this. */
  askWithout(term) {
    this._chipped.steps[0].without.push(term);
    this._draw();
    this.submit();
  }

  /** Ask for a concept as well as for what is asked for already. */
  askForConcept(name) {
    this._chipped.steps.at(-1).shows.push({ text: `concept:${name}` });
    this._draw();
    this.submit();
  }

  _add(kind) {
    const { steps } = this._chipped;
    if (kind === "then") steps.push(newStep());
    const term = { text: "" };
    (kind === "not" ? steps.at(-1).without : steps.at(-1).shows).push(term);
    this._draw();
    [...this._chips.querySelectorAll("input[type=text]")].find((input) => input.term === term)?.focus();
  }

  _draw() {
    const chips = [];
    this._chipped.steps.forEach((step, index) => {
      step.shows.forEach((term, place) => {
        const kind = place === 0 && index > 0 ? "then" : "and";
        chips.push(this._chip(kind, term, () => this._remove(index, step.shows, term), step));
      });
      for (const term of step.without) chips.push(this._chip("not", term, () => this._remove(index, step.without, term)));
    });
    this._chips.replaceChildren(...chips);
    this._chips.hidden = chips.length === 0;
    this._drawAbsent();
    this.dispatchEvent(new CustomEvent("drawn"));
  }

  /** What is absent has no later step: one of the two can be chosen. */
  _drawAbsent() {
    const { none, steps } = this._chipped;
    this._absent.setAttribute("aria-pressed", String(none));
    this._absent.disabled = !none && steps.length > 1;
    this._adders.querySelector("[data-add=then]").disabled = none;
  }

  _remove(index, terms, term) {
    const { steps } = this._chipped;
    terms.splice(terms.indexOf(term), 1);
    if (index > 0 && steps[index].shows.length === 0) steps.splice(index, 1);
    keepingFocus(this._chips, () => this._draw(), this.box);
    if (!this.question.isEmpty) this.submit();
  }

  _chip(kind, term, remove, step = null) {
    const chip = make("span", { class: `chip chip-${kind}` }, icon({ and: "plus", not: "minus", then: "then" }[kind]));
    chip.append(make("span", { class: "chip-kind" }, text(`chip_${kind}`)));
    const concept = conceptOf(term);
    if (concept !== null) {
      if (kind === "and") chip.replaceChildren();
      chip.classList.add("chip-concept");
      chip.append(icon("concept"), make("span", { class: "chip-kind" }, text("chip_concept")), make("span", { class: "chip-value" }, concept));
    } else if (term.text !== undefined) {
      const input = make("input", { type: "text", value: term.text, "aria-label": text(`chip_${kind}_label`), placeholder: text(`chip_${kind}_hint`), autocomplete: "off", spellcheck: "true", dir: "auto", maxlength: 4000 });
      input.term = term;
      const fit = () => (input.style.inlineSize = `${Math.min(40, Math.max(8, (input.value || input.placeholder).length + 1))}ch`);
      input.addEventListener("input", () => {
        term.text = input.value;
        fit();
      });
      fit();
      chip.append(input);
    } else if (kind === "and") chip.replaceChildren(); // it stands for itself, and may be all that is asked for
    if (term.like !== undefined) {
      const at = timecode(term.at);
      chip.append(make("img", { src: frameAddress(term.like, term.at, 160), alt: "", width: 48, height: 27 }), make("span", {}, text("chip_frame", { at })));
    } else if (term.text === undefined) {
      const preview = previewOf(term.image);
      chip.append(preview ? make("img", { src: preview, alt: "", width: 48, height: 27 }) : icon(term.image ? "picture" : "film"));
      chip.append(make("span", {}, text(term.image ? "chip_picture" : "chip_clip")));
    }
    if (kind === "then") {
      const within = make("input", { type: "number", min: 1, max: 86400, step: 1, value: step.within ?? USUAL_WITHIN, "aria-label": text("within_label") });
      within.addEventListener("change", () => (step.within = Number(within.value) > 0 ? Number(within.value) : null));
      chip.append(make("span", { class: "chip-within" }, text("within"), within, text("seconds")));
    }
    const away = button(text("remove"), { name: "close", isQuiet: true });
    away.addEventListener("click", remove);
    chip.append(away);
    return chip;
  }
}

customElements.define("question-form", QuestionForm);
