// Runs: batches that index videos, with live progress, and the sources that failed.

import { api } from "../api.js";
import { button, drawn, make } from "../dom.js";
import { showFailures } from "../failures.js";
import { dateTime, length } from "../format.js";
import { attempt, showError } from "../notes.js";
import { session } from "../session.js";
import { counted, text, textOr } from "../strings.js";

const PAGE = 30;

const find = (selector) => document.querySelector(selector);
const list = find("#runs");
const more = find("#more");
const form = find("#start");
const sources = find("#sources");

let next = null;
let items = [];
let isAdmin = false;
let isLoading = false;

async function showRuns({ isFirst }) {
  const parameters = new URLSearchParams({ limit: PAGE });
  if (!isFirst && next) parameters.set("cursor", next);
  const page = await api(`/runs?${parameters}`);
  if (isFirst) {
    items.forEach((item) => item.leave());
    items = [];
    list.replaceChildren();
  }
  next = page.next;
  more.hidden = next === null;
  find("#status").textContent = page.total ? counted("runs", page.total) : text("runs_none");
  const added = page.runs.map((run) => new RunItem(run));
  items.push(...added);
  list.append(...added.map((item) => item.element));
}

/** A run in the list; while it is under way, its progress is followed. */
class RunItem {
  constructor(run) {
    this._state = make("span", { class: "badge", role: "status" });
    this._counts = make("p", { class: "quiet" });
    this._bar = make("progress", { "aria-label": text("run_progress", { id: run.run_id }) });
    this._stop = button(text("run_stop"));
    this._stop.addEventListener("click", () => attempt(async () => this._draw(await api(this._path, { method: "DELETE" }))));
    this.element = make(
      "li",
      {},
      make("div", { class: "run-head" }, make("strong", {}, dateTime(run.started_at)), this._state, make("code", {}, run.run_id), this._stop),
      this._bar,
      this._counts,
    );
    this._run = {};
    this._path = `/runs/${encodeURIComponent(run.run_id)}`;
    this._draw(run);
    if (run.outcome === "running") this._follow();
  }

  _draw(change) {
    const run = Object.assign(this._run, change);
    const isRunning = run.outcome === "running";
    this._state.textContent = run.is_stopping ? text("run_stopping") : textOr(`run_${run.outcome}`, run.outcome);
    this._state.className = `badge badge-${isRunning ? "partial" : run.outcome === "finished" || run.outcome === "done" ? "done" : "broken"}`;
    const counts = Object.entries(run.counts ?? {}).filter(([, count]) => count > 0);
    const done = counts.reduce((sum, [, count]) => sum + count, 0);
    this._bar.hidden = !isRunning;
    if (run.sources) {
      this._bar.max = run.sources;
      this._bar.value = done;
    }
    this._stop.hidden = !(isAdmin && isRunning && run.can_stop && !run.is_stopping);
    const parts = [
      run.sources ? text("run_sources_done", { done, sources: run.sources }) : null,
      ...counts.map(([name, count]) => make("span", { class: `badge-${name === "failed" ? "broken" : name}` }, `${count} ${textOr(`run_count_${name}`, name)}`)),
      run.video_seconds ? text("run_video", { length: length(run.video_seconds) }) : null,
      run.rate ? text("run_rate", { rate: run.rate.toFixed(1) }) : null,
      run.problem,
    ];
    this._counts.replaceChildren(...parts.filter(Boolean).flatMap((part, index) => (index ? [" · ", part] : [part])));
  }

  /** Follow its progress no longer. */
  leave() {
    this._events?.close();
  }

  _follow() {
    const events = this._events = new EventSource(`/api/v1${this._path}/events`);
    const counts = { ...(this._run.counts ?? {}) };
    events.addEventListener("progress", (event) => {
      const { counts: told, ...fields } = JSON.parse(event.data);
      this._draw(told ? { ...fields, counts: told } : fields);
    });
    events.addEventListener("report", (event) => {
      const { status } = JSON.parse(event.data);
      counts[status] = (counts[status] ?? 0) + 1;
      this._draw({ counts });
    });
    const look = () => attempt(async () => this._draw(await api(this._path)));
    // A browser connects again by itself, unless it was refused: then the state is looked up once.
    events.addEventListener("error", () => events.readyState === EventSource.CLOSED && look());
    events.addEventListener("over", async () => {
      events.close();
      if (await look()) await showFailures(find("#failures"), start).catch(showError);
    });
  }
}

async function start(wanted) {
  await api("/runs", { json: { sources: wanted } });
  await showRuns({ isFirst: true });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    await start(sources.value.split("\n").map((line) => line.trim()).filter(Boolean));
    sources.value = "";
  });
});
more.addEventListener("click", async () => {
  if (isLoading) return;
  isLoading = true;
  await showRuns({ isFirst: false }).catch(showError);
  isLoading = false;
});

const { role, can_index: canIndex } = await session;
isAdmin = role === "admin";
form.hidden = !canIndex;
find("#no-folder").hidden = canIndex || !isAdmin;
await attempt(() => Promise.all([showRuns({ isFirst: true }), showFailures(find("#failures"), start)]));
await drawn();
document.body.classList.add("is-ready");
