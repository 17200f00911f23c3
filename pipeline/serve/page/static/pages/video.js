// One video: the player with the score curve of a text, labels, and what is known of it.

import { api } from "../api.js";
import { drawn, make } from "../dom.js";
import { baseName, length, score, timecode } from "../format.js";
import { listenForKeys } from "../keyboard.js";
import { showError } from "../notes.js";
import "../session.js";
import { text } from "../strings.js";
import "../elements/help-dialog.js";
import "../elements/label-timeline.js";
import "../elements/score-timeline.js";
import "../elements/video-stage.js";

const USUAL_SCORE = 0.5;

const find = (selector) => document.querySelector(selector);
const main = find("main");
const stage = find("video-stage");
const timeline = find("score-timeline");
const rows = find("label-timeline");
const box = find("#box");
const id = main.dataset.videoId;
const path = `/videos/${encodeURIComponent(id)}`;

function facts(list, entries) {
  list.replaceChildren(
    ...entries.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
  );
}

function describe(video) {
  const name = baseName(video.name);
  find("#name").textContent = name;
  find("#name").title = video.name;
  document.title = `${name} – momentseek`;
  facts(find("#facts"), [
    [text("fact_length"), timecode(video.duration_seconds)],
    [text("fact_covered"), `${length(video.covered_seconds)}, ${text(`status_${video.status}`)}`],
    [text("fact_problem"), video.problem],
    [text("fact_frames"), video.frame_count.toLocaleString("en")],
    [text("fact_picture"), `${video.width} × ${video.height}`],
    [text("fact_codec"), video.codec],
    [text("fact_id"), video.video_id],
    [text("fact_names"), video.names.join("\n")],
    [text("fact_former_names"), video.former_names.join("\n")],
  ]);
  const metadata = Object.entries(video.metadata);
  find("#metadata").hidden = metadata.length === 0;
  facts(find("#metadata dl"), metadata.map(([key, value]) => [key, String(value)]));
}

let asked = "";

async function showCurve(words) {
  asked = words;
  find("#search").href = `/?${new URLSearchParams({ ...(words ? { q: words } : {}), video: id })}`;
  if (!words) {
    find("#status").textContent = "";
    timeline.showCurve({ steps: [], cuts_seconds: [] }, null);
    return;
  }
  const curve = await api(`${path}/curve?${new URLSearchParams({ text: words })}`);
  if (asked !== words) return;
  timeline.showCurve(curve, USUAL_SCORE);
  const { times_seconds: times, scores } = curve.steps[0];
  const best = scores.indexOf(Math.max(...scores));
  const values = { best: score(scores[best]), at: timecode(times[best]), score: USUAL_SCORE.toFixed(2) };
  find("#status").textContent = text(scores[best] < USUAL_SCORE ? "video_no_match" : "video_best", values);
}

async function showLabels(duration) {
  const { labels, is_labelled: isLabelled } = await api(`${path}/labels`);
  rows.hidden = !isLabelled;
  if (isLabelled) rows.show(labels, duration);
  rows.position = stage.seconds;
}

find("#ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = box.value.trim();
  history.replaceState(null, "", words ? `?${new URLSearchParams({ q: words })}` : location.pathname);
  showCurve(words).catch(showError);
});
stage.addEventListener("position", (event) => (rows.position = timeline.position = event.detail));
for (const bar of [timeline, rows]) bar.addEventListener("seek", (event) => stage.seek(event.detail));
listenForKeys({
  "?": () => find("help-dialog").open(),
  "/": () => box.focus(),
  " ": () => stage.toggle(),
  ArrowRight: () => stage.move(1),
  ArrowLeft: () => stage.move(-1),
  ".": () => void stage.step(1),
  ",": () => void stage.step(-1),
  m: () => stage.toggleSound(),
  f: () => stage.toggleFullScreen(),
  Escape: () => box.blur(),
});

try {
  const video = await api(path);
  describe(video);
  timeline.clear(video.duration_seconds);
  const parameters = new URLSearchParams(location.search);
  stage.load(video, Number(parameters.get("t")) || 0, { isPlaying: false });
  box.value = parameters.get("q") ?? "";
  await Promise.all([showCurve(box.value.trim()), showLabels(video.duration_seconds)]);
} catch (error) {
  if (error.status === 404) main.classList.add("is-unknown");
  showError(error);
}
await drawn();
document.body.classList.add("is-ready");
