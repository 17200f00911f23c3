// Concepts: what was learnt from marks, the marks that feed each, and subjects that could become one.

import { api, frameAddress } from "../api.js";
import { button, drawn, icon, keepingFocus, make, replaceMissing } from "../dom.js";
import { baseName, interval, timecode } from "../format.js";
import { mark } from "../marks.js";
import { attempt } from "../notes.js";
import "../session.js";
import { counted, text } from "../strings.js";

const PAGE = 1000;
const MOST_PAGES = 50;
const MOST_MARKS = 12;
const NAME = "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,63}";

const find = (selector) => document.querySelector(selector);
const path = (name) => `/concepts/${encodeURIComponent(name)}`;
const keyOf = (subject) => subject.split(/\s+/).filter(Boolean).join(" ").toLowerCase();

async function load() {
  const [{ concepts }, marks] = await Promise.all([api("/concepts"), allMarks()]);
  const known = new Set(concepts.map((concept) => keyOf(concept.subject)));
  const subjects = [...marks.keys()].filter((key) => !known.has(key));
  find("#status").textContent = concepts.length ? counted("concepts", concepts.length) : "";
  find("#empty").hidden = concepts.length > 0 || subjects.length > 0;
  find("#concepts").replaceChildren(...concepts.map((concept) => conceptItem(concept, marks.get(keyOf(concept.subject)) ?? [])));
  find("#subjects").hidden = subjects.length === 0;
  find("#subjects ul").replaceChildren(...subjects.map((key) => subjectItem(marks.get(key))));
}

/** All marks, by their subjects without case and further white space. */
async function allMarks() {
  const found = new Map();
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const parameters = new URLSearchParams({ limit: PAGE, ...(cursor ? { cursor } : {}) });
    const { marks, next } = await api(`/marks?${parameters}`);
    for (const one of marks) {
      const key = keyOf(one.subject);
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(one);
    }
    cursor = next;
    if (cursor === null) break;
  }
  for (const own of found.values()) own.sort((one, other) => other.marked_at.localeCompare(one.marked_at));
  return found;
}

function conceptItem(concept, marks) {
  const state = !concept.is_of_encoder ? "other" : concept.is_current ? "current" : "changed";
  const again = button(text("concept_fit"), { name: "refresh" });
  again.addEventListener("click", () => working(again, () => api(`${path(concept.name)}/fit`, { json: {} })));
  const away = button(text("concept_remove", { name: concept.name }), { name: "close", isQuiet: true });
  away.addEventListener("click", () => {
    if (confirm(text("concept_remove_sure", { name: concept.name }))) working(away, () => api(path(concept.name), { method: "DELETE" }));
  });
  for (const one of [again, away]) one.dataset.writes = "";
  const asked = new URLSearchParams({ q: `concept:${concept.name}` });
  return make(
    "li",
    { class: "concept" },
    make(
      "div",
      { class: "concept-head" },
      icon("concept"),
      make("h2", {}, concept.name),
      make("span", { class: `badge badge-${{ current: "done", changed: "partial", other: "broken" }[state]}`, title: text(`concept_${state}_title`) }, text(`concept_${state}`)),
      away,
    ),
    make(
      "p",
      { class: "quiet" },
      [
        text("concepts_subject", { subject: concept.subject }),
        concept.text ? text("concept_text", { text: concept.text }) : text("concept_no_text"),
        text("concept_fitted", { at: concept.fitted_at.replace("T", " ").slice(0, 16), yes: concept.yes, no: concept.no }),
      ].join(" · "),
    ),
    make("dl", { class: "measures", title: text("concept_measures_title") }, measure("concept_precision", concept.precision), measure("concept_recall", concept.recall)),
    marksList(marks),
    make(
      "div",
      { class: "concept-buttons" },
      concept.is_of_encoder ? make("a", { class: "button button-main", href: `/?${asked}` }, icon("search"), text("concept_search")) : null,
      make("a", { class: "button", "data-writes": true, href: `/review?${new URLSearchParams({ subject: `concept:${concept.name}` })}` }, icon("right"), text("concept_review")),
      again,
    ),
  );
}

function measure(name, value) {
  const shown = value === null ? "–" : value.toFixed(2);
  return make("div", {}, make("dt", {}, text(name)), make("dd", {}, make("meter", { min: 0, max: 1, value: value ?? 0, "aria-label": text(name) }), shown));
}

/** The newest marks as pictures, and a button for the others. */
function marksList(marks) {
  const list = make("ul", { class: "marks", "aria-label": text("concept_marks") }, ...marks.slice(0, MOST_MARKS).map(markItem));
  if (marks.length > MOST_MARKS) {
    const more = button(text("concept_more_marks", { count: marks.length - MOST_MARKS }));
    more.title = text("concept_more_marks_title");
    more.append(make("span", { class: "hidden-text" }, more.title));
    const place = make("li", { class: "marks-more" }, more);
    more.addEventListener("click", () => place.replaceWith(...marks.slice(MOST_MARKS).map(markItem)));
    list.append(place);
  }
  return list;
}

function markItem(one) {
  const isPoint = one.start_seconds === one.end_seconds;
  const at = (one.start_seconds + one.end_seconds) / 2;
  const video = baseName(one.video ?? one.video_id);
  const when = isPoint ? timecode(one.start_seconds) : interval(one);
  const values = { verdict: text(`concept_${one.verdict}`), name: video, interval: when };
  const picture = make("img", { src: frameAddress(one.video_id, at, 320), alt: "", width: 144, height: 81, loading: "lazy", decoding: "async" });
  picture.addEventListener("error", () => replaceMissing(picture), { once: true });
  const label = text("concept_mark", values);
  const link = make(
    "a",
    { href: `/videos/${encodeURIComponent(one.video_id)}?${new URLSearchParams({ t: one.start_seconds, q: one.subject })}`, "aria-label": label, title: [label, one.by, one.note].filter(Boolean).join(" · ") },
    one.is_gone ? make("span", { class: "no-picture" }, icon("film")) : picture,
    make("span", { class: `verdict verdict-${one.verdict}` }, icon(one.verdict === "yes" ? "right" : "close")),
  );
  const away = button(text("concept_mark_remove", values), { name: "close", isQuiet: true });
  away.dataset.writes = "";
  away.addEventListener("click", () => working(away, () => mark(one.id, one.subject, null)));
  return make("li", {}, link, away);
}

/** A subject with marks but without a concept, and the form that makes one. */
function subjectItem(marks) {
  const [{ subject }] = marks;
  const yes = marks.filter((one) => one.verdict === "yes").length;
  const name = make("input", { name: "name", required: true, maxlength: 64, pattern: NAME, title: text("concept_name_title"), autocomplete: "off", spellcheck: "false", value: slug(subject) });
  const start = make("input", { name: "text", maxlength: 500, autocomplete: "off", placeholder: text("concept_text_hint") });
  const submit = make("button", { class: "button button-main", type: "submit" }, text("concept_make"));
  const form = make("form", { class: "concept-form", "data-writes": true }, make("label", {}, make("span", {}, text("concept_name")), name), make("label", {}, make("span", {}, text("concept_start")), start), submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    working(submit, () => api(`${path(name.value)}/fit`, { json: { subject, text: start.value.trim() } }));
  });
  return make(
    "li",
    { class: "concept" },
    make("div", { class: "concept-head" }, make("h3", {}, subject), make("span", { class: "quiet" }, text("concept_counts", { yes, no: marks.length - yes }))),
    marksList(marks),
    form,
    make("div", { class: "concept-buttons", "data-writes": true }, make("a", { class: "button", href: `/review?${new URLSearchParams({ subject })}` }, icon("right"), text("concept_review"))),
  );
}

function slug(subject) {
  return subject.normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "").toLowerCase().slice(0, 64);
}

/** Do something that changes the list, and show the new one; one at a time. */
function working(control, work) {
  if (control.hasAttribute("aria-disabled")) return undefined;
  control.setAttribute("aria-disabled", "true"); // a control that is truly disabled loses the focus
  return attempt(async () => {
    await work();
    await keepingFocus(find("main"), load);
  }).finally(() => control.removeAttribute("aria-disabled"));
}

await attempt(load);
await drawn();
document.body.classList.add("is-ready");
