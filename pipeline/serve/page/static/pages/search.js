// The page of questions and answers.

import { absenceEmptiness, absenceNotes, absenceStatus, appendAbsences } from "../absences.js";
import { api } from "../api.js";
import { drawn, icon, isStill, make } from "../dom.js";
import { score } from "../format.js";
import { showError } from "../notes.js";
import { Question } from "../question.js";
import "../session.js";
import { counted, text } from "../strings.js";
import "../elements/concept-picker.js";
import "../elements/filter-panel.js";
import "../elements/help-dialog.js";
import "../elements/moment-card.js";
import "../elements/moment-player.js";
import "../elements/picture-drop.js";
import "../elements/question-form.js";
import "../elements/saved-searches.js";
import "../elements/selection-bar.js";
import { listenForSearchKeys } from "./search-keys.js";
import { addressOf, here, keyOf, linkedMoment, noteMoment, noteNoMoment, noteQuestion } from "./search-places.js";

const TOP = 24;
const NEAREST = 8;
const EAGER = 8;

const find = (selector) => document.querySelector(selector);
const form = find("question-form");
const filters = find("filter-panel");
const player = find("moment-player");
const drop = find("picture-drop");
const selection = find("selection-bar");
const saved = find("saved-searches");
const grid = find("#answers");
const status = find("#status");
const notes = find("#notes");
const more = find("#more");
const slider = find("#min-score");
const sliderValue = find("#min-score-value");
const bar = find("#answer-bar");
const empty = find("#nothing");
const welcome = find("#welcome");

/** What is shown: the question, its moments so far, the number of all, and the moments below the score. */
let shown = nothing();
let request = null;
/** The question that was asked last; what is shown may still be the answer to another. */
let asked = null;

function nothing() {
  return { question: new Question(), moments: [], found: 0, below: [], page: 0, minScore: null };
}

const all = () => [...shown.moments, ...shown.below];
const cards = () => [...grid.querySelectorAll("moment-card:not([hidden])")];
const links = () => [...grid.querySelectorAll("moment-card:not([hidden]) a.card, a.stretch")];

// Asking

async function answer(question, { page = 1 } = {}) {
  request?.abort();
  const own = (request = new AbortController());
  asked = keyOf(question);
  performance.mark("momentseek-asked");
  // A browser has six connections to a server; pictures that are not wanted any more must not hold them.
  if (page === 1) cards().forEach((card) => card.cancel());
  document.body.classList.add("is-answering");
  grid.setAttribute("aria-busy", "true");
  try {
    if (Object.keys(question.where).length) await filters.learnMetadata();
    const json = question.toJson({ top: TOP, page, metadata: filters.metadata });
    // What an absence does not cover is in the explanation.
    const found = await api(question.none ? "/search?explain=true" : "/search", { json, signal: own.signal });
    if (page === 1) start(question, found);
    append(found, page);
    performance.mark("momentseek-answered");
    performance.measure("momentseek-answer", "momentseek-asked", "momentseek-answered");
    if (found.found === 0 && question.none) showEmptiness(...absenceEmptiness(found, words(question).join(", ")));
    else if (found.found === 0) await showNearest(question, found, own.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (page === 1) fail(error);
    else showError(error);
  } finally {
    if (request === own) showRest();
  }
}

function showRest() {
  document.body.classList.remove("is-answering");
  grid.removeAttribute("aria-busy");
}

/** Wait no longer for the answer to another question than the one that is shown. */
function stayAt(question) {
  if (asked === keyOf(question)) return;
  asked = keyOf(question);
  request?.abort();
  showRest();
  cards().forEach((card) => card.resume());
}

function start(question, found) {
  shown = { question, moments: [], found: found.found, below: [], page: 0, minScore: found.min_score };
  grid.replaceChildren();
  empty.hidden = true;
  welcome.hidden = true;
  bar.hidden = false;
  document.body.classList.add("has-answer");
  slider.value = found.min_score;
  showSlider();
  showNotes(found);
  grid.classList.toggle("is-rows", question.none);
  if (question.none) status.textContent = absenceStatus(found);
  else status.textContent = found.found ? counted("found", found.found) : text("nothing_status");
  selection.question = words(question).join(", ");
  saved.question = question;
  saved.metadata = filters.metadata;
  const title = question.steps[0].shows[0]?.text ?? text("picture_question");
  document.title = `${question.none ? text("absent_document", { question: title }) : title} – momentseek`;
}

function append(found, page) {
  if (page > 1) notes.querySelector("[role=alert]")?.remove();
  shown.page = page;
  const first = shown.moments.length;
  if (shown.question.none) {
    const options = { question: shown.question.toJson(), threshold: found.min_score, addressOf: (moment) => addressOf(shown.question, moment) };
    shown.moments.push(...appendAbsences(grid, found.absences, options));
  } else {
    shown.moments.push(...found.moments);
    addCards(found.moments, first, false);
  }
  more.hidden = shown.moments.length >= shown.found || shown.moments.length === first;
  markCurrent();
}

function addCards(moments, first, isBelow) {
  const items = moments.map((moment, index) => {
    const card = document.createElement("moment-card");
    card.show(moment, { address: addressOf(shown.question, moment), isBelow, isFirst: first + index < EAGER });
    card.isSelected = selection.includes(moment);
    return make("li", {}, card);
  });
  grid.append(...items);
}

function words(question) {
  return question.steps.flatMap((step) => step.shows).map((term) => term.text).filter(Boolean);
}

function showEmptiness(title, hint) {
  empty.querySelector("h2").textContent = title;
  empty.querySelector("p").textContent = hint;
  empty.hidden = false;
}

async function showNearest(question, found, signal) {
  const said = words(question).join(", ");
  const title = said ? text("nothing_title", { question: said }) : text("nothing_title_picture");
  showEmptiness(title, text("nothing_hint", { score: score(found.min_score) }));
  const hint = empty.querySelector("p");
  if (found.nearest) {
    shown.below = [found.nearest];
    addCards(shown.below, 0, true);
  }
  const copy = question.copy();
  copy.min_score = 0;
  const nearest = await api("/search?explain=true", { json: copy.toJson({ top: NEAREST, metadata: filters.metadata }), signal });
  if (nearest.explanation.hint) hint.textContent = nearest.explanation.hint;
  const below = nearest.moments.filter((moment) => moment.score < found.min_score);
  if (!below.length && !shown.below.length) {
    hint.textContent = nearest.explanation.hint || text(question.hasFilters ? "nothing_filtered" : "nothing_at_all");
    return;
  }
  if (below.length) {
    shown.below = below;
    grid.replaceChildren();
    addCards(below, 0, true);
    markCurrent();
  }
}

function showNotes(found) {
  const lines = [];
  if (found.unknown_words?.length) lines.push(text("unknown_words", { words: found.unknown_words.join(", ") }));
  if (found.incomplete) lines.push(text("incomplete", found.incomplete));
  lines.push(...(found.notes ?? []));
  if (shown.question.none) lines.push(...absenceNotes(found));
  notes.replaceChildren(...lines.map((line) => make("p", { class: "note" }, icon("warning"), line)));
  if (shown.question.none) notes.append(make("p", { class: "quiet absence-note" }, text("absent_sampled")));
}

function fail(error) {
  shown = nothing();
  grid.replaceChildren();
  bar.hidden = true;
  more.hidden = true;
  empty.hidden = true;
  showError(error);
  document.body.classList.add("has-answer");
}

// The minimum score

function showSlider() {
  sliderValue.textContent = Number(slider.value).toFixed(2);
  slider.setAttribute("aria-valuetext", text("min_score_value", { score: Number(slider.value).toFixed(2) }));
}

slider.addEventListener("input", () => {
  showSlider();
  // What is here already is filtered at once; the server is asked when the slider rests.
  for (const card of grid.querySelectorAll("moment-card")) {
    card.parentElement.hidden = !card.classList.contains("is-below") && card.moment.score < Number(slider.value);
  }
});
slider.addEventListener("change", () => {
  form.setFilters((question) => (question.min_score = Number(slider.value)));
  form.submit();
});
more.addEventListener("click", async () => {
  const first = shown.moments.length;
  await answer(shown.question, { page: shown.page + 1 });
  // The button has moved away, or is gone: the first of what it brought has its place.
  if ([document.body, more].includes(document.activeElement)) links()[first]?.focus({ preventScroll: true });
});

// Addresses

async function follow() {
  const { question, playing } = here();
  if (keyOf(question) !== asked) {
    form.show(question);
    filters.show(question);
  }
  if (question.isEmpty) showStart(question);
  else if (keyOf(question) === keyOf(shown.question)) stayAt(question);
  else await answer(question);
  if (!playing) return closePlayer({ isKept: true });
  const moment = all().find((one) => one.id === playing) ?? (await linkedMoment(playing).catch(showError));
  // Meanwhile, something else may have been asked or played.
  if (moment && here().playing === playing) play(moment, { isKept: true, isPlaying: !isStill });
}

function showStart(question) {
  stayAt(question);
  shown = nothing();
  document.body.classList.remove("has-answer");
  document.title = "momentseek";
  grid.replaceChildren();
  notes.replaceChildren();
  bar.hidden = empty.hidden = more.hidden = true;
  welcome.hidden = false;
  saved.question = null;
}

form.addEventListener("asked", (event) => {
  const question = event.detail;
  filters.close();
  closePlayer({ isKept: true });
  noteQuestion(question);
  form.show(question);
  filters.show(question);
  answer(question);
});
addEventListener("popstate", follow);
form.box.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" || event.isComposing || player.isOpen) return;
  if (moveFocus(0)) event.preventDefault();
});

// Playing

/** On a small screen the player covers the page; what it covers must not be reached by Tab or by a screen reader. */
const small = matchMedia("(max-width: 1079px)");

function cover() {
  for (const part of [find("main"), find(".bar"), selection]) part.inert = player.isOpen && small.matches;
}

small.addEventListener("change", cover);

function play(moment, { isKept = false, isFocused = false, at = null, isPlaying = true } = {}) {
  document.body.classList.add("is-playing");
  const moments = all();
  const number = moments.indexOf(moment) + 1;
  player.play(moment, {
    question: shown.question.isEmpty ? null : shown.question.toJson({ metadata: filters.metadata }),
    threshold: shown.minScore,
    moments,
    number: number || 1,
    total: shown.below.length ? shown.below.length : shown.found || 1,
    at,
    isPlaying,
  });
  if (!isKept) noteMoment(shown.question, moment);
  markCurrent(true);
  cover();
  if (isFocused) player.focus();
}

function closePlayer({ isKept = false } = {}) {
  if (!player.isOpen) return;
  const link = links().find((one) => one.moment?.id === player.moment.id) ?? cardOf(player.moment)?.link;
  player.close();
  document.body.classList.remove("is-playing");
  cover();
  markCurrent();
  if (!isKept) {
    noteNoMoment(shown.question);
    link?.focus();
  }
}

function cardOf(moment) {
  return cards().find((card) => card.moment.id === moment?.id);
}

function markCurrent(isScrolled = false) {
  for (const card of cards()) card.isCurrent = card.moment.id === player.moment?.id;
  for (const row of grid.querySelectorAll("absence-row")) row.current = player.moment?.id;
  if (isScrolled) grid.querySelector(".is-current, .stretch[aria-current]")?.scrollIntoView({ block: "nearest", behavior: "instant" });
}

async function move(by) {
  if (!player.isOpen) return moveFocus(by);
  const moments = all();
  const next = moments.findIndex((moment) => moment.id === player.moment.id) + by;
  if (next >= moments.length && !more.hidden) await answer(shown.question, { page: shown.page + 1 });
  const moment = all()[next];
  if (moment && player.isOpen) play(moment);
  return true;
}

function moveFocus(by) {
  const places = links();
  if (!places.length) return false;
  const at = places.indexOf(document.activeElement);
  places[Math.min(places.length - 1, Math.max(0, at < 0 ? 0 : at + by))].focus();
  return true;
}

grid.addEventListener("click", (event) => {
  const card = event.target.closest("a.card")?.closest("moment-card");
  if (!card || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  play(card.moment, { isFocused: true });
});
grid.addEventListener("opened", ({ detail: { moment, at } }) => play(moment, { isFocused: true, at }));
grid.addEventListener("selected", (event) => selection.toggle(event.target.moment, event.target.isSelected));
selection.addEventListener("cleared", () => {
  (cards().find((card) => card.isSelected)?.link ?? form.box).focus({ preventScroll: true });
  selection.clear();
  for (const card of cards()) card.isSelected = false;
});
saved.addEventListener("chosen", ({ detail }) => {
  form.show(detail);
  form.submit();
});
player.addEventListener("move", (event) => move(event.detail));
player.addEventListener("closed", () => closePlayer());
player.addEventListener("similar", ({ detail }) => form.askFor({ like: detail.video_id, at: detail.at }));
player.addEventListener("dissimilar", ({ detail }) => form.askWithout({ like: detail.video_id, at: detail.at }));
find("concept-picker").addEventListener("picked", ({ detail }) => form.askForConcept(detail));
drop.addEventListener("picture", ({ detail }) => form.askFor(detail));
filters.addEventListener("changed", ({ detail }) => form.setFilters(detail));
filters.addEventListener("asked", () => form.submit());

listenForSearchKeys(
  { form, grid, help: find("help-dialog"), player, small },
  {
    closePlayer,
    move,
    moveFocus,
    toggle: () => {
      const card = document.activeElement?.closest("moment-card") ?? cardOf(player.moment);
      card?.toggle();
      return Boolean(card);
    },
  },
);

follow();
await drawn();
document.body.classList.add("is-ready");
