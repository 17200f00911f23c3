// Filters of a question: videos, metadata, labels, dates, times of day, parts of videos.

import { api } from "../api.js";
import { button, keepingFocus, make } from "../dom.js";
import { baseName } from "../format.js";
import { text } from "../strings.js";

const MOST_VIDEOS = 1000;
const TEXT_FIELDS = ["recorded_from", "recorded_to"];
const NUMBER_FIELDS = ["after", "before", "per_video"];

/**
 * Fires `changed` with a function that changes a question as its detail, and `asked` to ask at once.
 */
export class FilterPanel extends HTMLElement {
  connectedCallback() {
    if (this._panel) return;
    /** Known values of metadata, by name. */
    this.metadata = {};
    this._panel = this.querySelector("#filters");
    this._pills = this.querySelector(".pills");
    this._opener = document.querySelector("[data-filters]");
    this._opener?.addEventListener("click", () => (this._panel.hidden ? this._open() : this.close()));
    this._panel.addEventListener("change", () => this._change());
    this._panel.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.tagName === "BUTTON") return;
      event.preventDefault();
      this._ask();
    });
    this._panel.querySelector("[data-apply]").addEventListener("click", () => this._ask());
    this._field("where_name").addEventListener("input", () => this._listValues());
    for (const name of ["video", "label", "not_label", "where_value"]) {
      this._panel.querySelector(`[data-take="${name}"]`)?.addEventListener("click", () => this._change());
    }
  }

  /** Show the filters of a question. */
  show(question) {
    this._question = question.copy();
    for (const name of TEXT_FIELDS) this._field(name).value = question[name] ?? "";
    for (const name of NUMBER_FIELDS) this._field(name).value = question[name] ?? "";
    const [first, last] = (question.time_of_day ?? "-").split("-");
    this._field("hours_from").value = clock(first);
    this._field("hours_to").value = clock(last);
    for (const name of ["video", "label", "not_label", "where_name", "where_value"]) this._field(name).value = "";
    if (question.videos.length) this.learnMetadata(); // a video is shown by its name
    this._draw();
  }

  close() {
    this._panel.hidden = true;
    this._opener?.setAttribute("aria-expanded", "false");
  }

  async _open() {
    this._panel.hidden = false;
    this._opener?.setAttribute("aria-expanded", "true");
    this._panel.querySelector("input").focus();
    await Promise.all([this.learnMetadata(), this._learnLabels()]);
  }

  /** Read the names of videos and the values of metadata once, so that they can be chosen, and are asked for as what they are. */
  learnMetadata() {
    this._metadataLearnt ??= this._readVideos().catch(() => (this._metadataLearnt = null)); // names can be typed all the same
    return this._metadataLearnt;
  }

  async _readVideos() {
    const { videos } = await api(`/videos?limit=${MOST_VIDEOS}`);
    this._names = new Map(videos.map((video) => [video.video_id, video.name ?? video.names[0] ?? video.video_id]));
    const known = {};
    for (const video of videos) {
      for (const [key, value] of Object.entries(video.metadata)) (known[key] ??= new Set()).add(value);
    }
    this.metadata = Object.fromEntries(Object.entries(known).map(([key, values]) => [key, [...values].sort()]));
    this._list("video", [...this._names.values()].map(baseName));
    this._list("where_name", Object.keys(this.metadata).sort());
    this._listValues();
    this._draw();
  }

  _learnLabels() {
    this._labelsLearnt ??= this._readLabels().catch(() => (this._labelsLearnt = null)); // a library without labels
    return this._labelsLearnt;
  }

  async _readLabels() {
    const { labels } = await api("/labels");
    const names = labels.filter((label) => label.mode !== "score_only").map((label) => label.label);
    this._list("label", names);
    this._list("not_label", names);
  }

  _listValues() {
    this._list("where_value", (this.metadata[this._field("where_name").value] ?? []).map(String));
  }

  _list(name, values) {
    const list = this._panel.querySelector(`#known-${name}`);
    list.replaceChildren(...values.map((value) => make("option", { value })));
  }

  _field(name) {
    return this._panel.querySelector(`[name="${name}"]`);
  }

  _take(name) {
    const value = this._field(name).value.trim();
    this._field(name).value = "";
    return value;
  }

  _change() {
    const question = this._question;
    for (const name of TEXT_FIELDS) question[name] = this._field(name).value || null;
    for (const name of NUMBER_FIELDS) {
      const field = this._field(name);
      question[name] = field.value !== "" && field.validity.valid ? Number(field.value) : null;
    }
    const [first, last] = [this._field("hours_from").value, this._field("hours_to").value];
    question.time_of_day = first || last ? `${first || "00:00"}-${last || "24:00"}` : null;
    for (const [field, name] of [["video", "videos"], ["label", "labels"], ["not_label", "not_labels"]]) {
      const value = this._take(field);
      if (value && !question[name].includes(value)) question[name].push(value);
    }
    if (this._field("where_name").value.trim() && this._field("where_value").value.trim()) {
      question.where[this._take("where_name")] = this._take("where_value");
    }
    this._tell();
    this._draw();
  }

  /** Ask with the filters, unless one of them cannot be: the browser says which, and why. */
  _ask() {
    const [name, value] = [this._field("where_name"), this._field("where_value")];
    name.required = value.value.trim() !== "";
    value.required = name.value.trim() !== "";
    const wrong = [...this._panel.querySelectorAll("input")].find((field) => !field.validity.valid);
    if (wrong) return void wrong.reportValidity();
    this._change();
    this.dispatchEvent(new CustomEvent("asked"));
  }

  _tell() {
    const own = this._question.copy();
    const change = (question) => {
      const { steps, min_score, none } = question;
      Object.assign(question, own, { steps, min_score, none });
    };
    this.dispatchEvent(new CustomEvent("changed", { detail: change }));
  }

  _draw() {
    const question = this._question;
    if (!question) return;
    const pills = [];
    const list = (kind, name) => question[name].forEach((value, index) => pills.push(this._pill(kind, this._names?.has(value) ? baseName(this._names.get(value)) : value, () => question[name].splice(index, 1))));
    list("pill_video", "videos");
    for (const [key, value] of Object.entries(question.where)) pills.push(this._pill("pill_where", `${key} = ${value}`, () => delete question.where[key]));
    list("pill_label", "labels");
    list("pill_not_label", "not_labels");
    for (const name of [...TEXT_FIELDS, "time_of_day", ...NUMBER_FIELDS]) {
      if (question[name] !== null) pills.push(this._pill(`pill_${name}`, String(question[name]), () => (question[name] = null)));
    }
    this._pills.replaceChildren(...pills);
    this._pills.hidden = pills.length === 0;
  }

  _pill(kind, value, remove) {
    const away = button(text("remove"), { name: "close", isQuiet: true });
    away.addEventListener("click", () => {
      remove();
      const question = this._question.copy();
      keepingFocus(this._pills, () => this.show(question), this._opener);
      this._tell();
      this.dispatchEvent(new CustomEvent("asked"));
    });
    return make("span", { class: "chip pill" }, make("span", { class: "chip-kind" }, text(kind)), make("span", { class: "chip-value" }, value), away);
  }
}

function clock(value) {
  const found = /^(\d{1,2}):(\d{2})$/.exec(value ?? "");
  return found && found[1] !== "24" ? `${found[1].padStart(2, "0")}:${found[2]}` : "";
}

customElements.define("filter-panel", FilterPanel);
