// The review queue: what rules have flagged, or the doubtful frames of a subject, one after another, decided by keys.

import { api } from "../api.js";
import { drawn, icon, isStill, make } from "../dom.js";
import { doubtful, kindChoice, kindOf, listSubjects } from "../doubtful.js";
import { baseName, interval, score, timecode } from "../format.js";
import { listenForKeys } from "../keyboard.js";
import { attempt } from "../notes.js";
import "../session.js";
import { counted, text } from "../strings.js";
import "../elements/score-timeline.js";
import "../elements/help-dialog.js";
import "../elements/video-stage.js";

const PAGE = 50;

const find = (selector) => document.querySelector(selector);
const stage = find("video-stage");
const timeline = find("score-timeline");
const videos = new Map();
const parameters = new URLSearchParams(location.search);
/** Whose doubtful frames are decided; null for what rules have flagged. */
const subject = parameters.get("subject")?.trim() || null;

let items = [];
let answered = [];
let total = 0;
let hasMore = false;
let isWorking = false;

async function load() {
  if (subject !== null) return loadDoubtful();
  const page = await api(`/review?limit=${PAGE}`);
  items = page.items;
  total = page.total;
  await show();
}

async function loadDoubtful() {
  const kind = parameters.get("kind") ?? "all";
  const found = await doubtful(subject, kind);
  if (kind !== (parameters.get("kind") ?? "all")) return; // another kind was chosen meanwhile
  items = found.items;
  total = items.length;
  hasMore = items.length > 0;
  find("#notes").replaceChildren(...found.notes.map((line) => make("p", { class: "note" }, icon("warning"), line)));
  await show();
}

/** Show a doubtful frame, with the score of the frames around it. */
async function showFrame(item, known) {
  stage.load(known, item.start_seconds, { isPlaying: false });
  const curve = await api(`/videos/${encodeURIComponent(item.video_id)}/curve?${new URLSearchParams({ text: subject })}`);
  if (items[0] === item) timeline.showCurve(curve, null);
}

/** What is said of an item beneath its question. */
function facts(item) {
  const name = baseName(item.video ?? item.video_id);
  if (subject !== null) return [name, timecode(item.start_seconds), text(`review_is_${kindOf(item.score)}`), score(item.score)];
  return [name, interval(item), item.policy && `${item.policy}: ${item.rule}`, item.severity, item.confidence && score(item.confidence)];
}

async function show() {
  find("#status").textContent = total ? counted("review", total) : text("review_none");
  find("#item").hidden = items.length === 0;
  find("#undo").hidden = answered.length === 0;
  find("#more").hidden = items.length > 0 || !hasMore;
  const item = items[0];
  if (!item) {
    stage.unload();
    return;
  }
  find("#question").textContent = text("review_question", { subject: item.subject });
  find("#where").textContent = facts(item).filter(Boolean).join(" · ");
  const known = videos.get(item.video_id) ?? (await api(`/videos/${encodeURIComponent(item.video_id)}`));
  videos.set(item.video_id, known);
  if (items[0] !== item) return;
  timeline.clear(known.duration_seconds);
  timeline.showMoments([item], item);
  const loop = [item.start_seconds, item.end_seconds];
  if (subject === null) stage.load(known, item.start_seconds, { isPlaying: !isStill, loop });
  else await showFrame(item, known);
}

/**
 * Change the queue, and show it then; a key that is pressed meanwhile would be about an item that nobody has seen.
 *
 * @param {() => Promise<() => Promise<void>>} change Changes the queue; resolves to what shows it.
 */
async function alone(change) {
  if (isWorking) return;
  isWorking = true;
  let shows = null;
  await attempt(async () => (shows = await change()));
  isWorking = false;
  if (shows) await attempt(shows);
}

/** Answer the item that is shown, and go on. */
function answer(verdict) {
  const item = items[0];
  if (!item) return;
  alone(async () => {
    await api(`/review/${item.id}`, { method: "PUT", json: { verdict } });
    answered.push(items.shift());
    total -= 1;
    return items.length === 0 && total > 0 ? load : show;
  });
}

function undo() {
  const item = answered.at(-1);
  if (!item) return;
  alone(async () => {
    await api(`/review/${item.id}`, { method: "DELETE" });
    answered.pop();
    items.unshift(item);
    total += 1;
    return show;
  });
}

function skip() {
  if (isWorking) return;
  if (items.length > 1) items.push(items.shift());
  attempt(show);
}

find("#yes").addEventListener("click", () => answer("yes"));
find("#no").addEventListener("click", () => answer("no"));
find("#skip").addEventListener("click", skip);
find("#undo").addEventListener("click", undo);
stage.addEventListener("position", (event) => (timeline.position = event.detail));
timeline.addEventListener("seek", (event) => stage.seek(event.detail));
listenForKeys({
  "?": () => find("help-dialog").open(),
  y: () => answer("yes"),
  n: () => answer("no"),
  j: skip,
  u: undo,
  " ": () => stage.toggle(),
  ArrowRight: () => stage.move(1),
  ArrowLeft: () => stage.move(-1),
  ".": () => void stage.step(1),
  ",": () => void stage.step(-1),
  l: () => stage.toggleLoop(),
  m: () => stage.toggleSound(),
  f: () => stage.toggleFullScreen(),
});
find("#more").addEventListener("click", () => attempt(load));
kindChoice(find("#kinds"), parameters.get("kind") ?? "all", (kind) => {
  parameters.set("kind", kind);
  history.replaceState(null, "", `?${parameters}`);
  attempt(load);
});
listSubjects(find("#known-subjects")).catch(() => {}); // a subject can be typed all the same
stage.toggleLoop(); // what is asked about is the moment, not what follows
await attempt(load);
await drawn();
document.body.classList.add("is-ready");
