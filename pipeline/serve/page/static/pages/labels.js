// Labels: how long the videos show each, and when.

import { api } from "../api.js";
import { button, drawn, icon, make } from "../dom.js";
import { baseName, interval, length } from "../format.js";
import { attempt } from "../notes.js";
import "../session.js";
import { counted, text } from "../strings.js";
import { intervalBar } from "../elements/label-timeline.js";

const MOST_VIDEOS = 12;

const find = (selector) => document.querySelector(selector);
const sets = find("#label-set");
const parameters = new URLSearchParams(location.search);
const tracks = new Map();

let chosen = parameters.get("set");
let byVideo = null;

const asked = (more) => `/labels?${new URLSearchParams({ ...(chosen ? { label_set: chosen } : {}), ...more })}`;

async function load() {
  byVideo = null;
  tracks.clear();
  const wanted = chosen;
  const found = await api(asked({ totals: true }));
  if (wanted !== chosen) return;
  const { label_sets: all, label_set: set } = found;
  find("#empty").hidden = set !== null;
  find("#labels").hidden = find("#head-end").hidden = set === null;
  if (set === null) return;
  showSets(all, set);
  const totals = found.totals.filter((total) => total.intervals > 0).sort((one, other) => other.seconds - one.seconds);
  const unseen = found.labels.filter(({ label, mode }) => mode === "on" && !totals.some((total) => total.label === label));
  find("#status").textContent = counted("labels", totals.length);
  find("#notes").replaceChildren(
    ...[found.unlabelled ? counted("labels_unlabelled", found.unlabelled) : null, set.is_current ? null : text("labels_other"), ...found.problems]
      .filter(Boolean)
      .map((line) => make("p", { class: "note" }, icon("warning"), line)),
  );
  const most = totals[0]?.seconds ?? 1;
  find("#labels").replaceChildren(...totals.map((total) => item(total, most)));
  find("#unseen").hidden = unseen.length === 0;
  find("#unseen p").textContent = unseen.map(({ label }) => label).join(" · ");
  find("#unseen summary").textContent = counted("labels_unseen", unseen.length);
}

function showSets(all, set) {
  sets.parentElement.hidden = all.length < 2;
  sets.replaceChildren(...all.map((one) => make("option", { value: one.fingerprint, selected: one.fingerprint === set.fingerprint }, one.name)));
  if (all.length < 2) find("#set-name").textContent = text("labels_set", { name: set.name });
}

function item(total, most) {
  const { label } = total;
  const meter = make("span", { class: "label-share", "aria-hidden": "true" }, make("span"));
  meter.firstChild.style.inlineSize = `${(100 * total.seconds) / most}%`;
  const percent = `${(100 * total.share).toFixed(total.share < 0.1 ? 1 : 0)} %`;
  const videos = make("div", { class: "label-videos" });
  const details = make(
    "details",
    {},
    make(
      "summary",
      {},
      make("span", { class: "label-name" }, label),
      meter,
      make("span", { class: "label-number" }, length(total.seconds)),
      make("span", { class: "quiet label-more", title: text("labels_share_title") }, [percent, counted("videos", total.videos), counted("labels_intervals", total.intervals)].join(" · ")),
    ),
    videos,
  );
  details.addEventListener("toggle", () => details.open && !videos.hasChildNodes() && attempt(() => showVideos(videos, label)));
  const search = make("a", { class: "button button-icon", href: `/?${new URLSearchParams({ q: label, label })}`, title: text("label_search", { label }) }, icon("search"), make("span", { class: "hidden-text" }, text("label_search", { label })));
  return make("li", {}, details, search);
}

/** Show the videos with a label, the one that shows it longest first. */
async function showVideos(place, label) {
  place.replaceChildren(make("p", { class: "quiet" }, text("asking")));
  byVideo ??= api(asked({ by: "video" }));
  const { totals } = await byVideo;
  const own = totals.filter((total) => total.label === label && total.intervals > 0).sort((one, other) => other.seconds - one.seconds);
  await showMore(place, label, own);
}

async function showMore(place, label, totals) {
  const rows = await Promise.all(totals.slice(0, MOST_VIDEOS).map((total) => videoRow(total, label)));
  place.querySelector("p")?.remove();
  place.append(...rows);
  if (totals.length <= MOST_VIDEOS) return;
  const more = button(text("videos_more"));
  more.addEventListener("click", () => {
    more.remove();
    attempt(() => showMore(place, label, totals.slice(MOST_VIDEOS)));
  });
  place.append(more);
}

async function videoRow({ group: id, seconds }, label) {
  const path = `/videos/${encodeURIComponent(id)}`;
  if (!tracks.has(id)) tracks.set(id, Promise.all([api(path), api(`${path}${asked({})}`)]));
  const [video, found] = await tracks.get(id);
  const { intervals } = found.labels.find((one) => one.label === label);
  const name = baseName(video.name ?? id);
  const address = (at) => `${path}?${new URLSearchParams({ t: at.toFixed(3) })}`;
  const bar = intervalBar(intervals, video.duration_seconds, (one) => {
    const title = text("label_interval", { label: name, interval: interval(one), confidence: one.confidence.toFixed(2) });
    return make("a", { href: address(one.start_seconds), "aria-label": title, title });
  });
  return make("div", { class: "label-video" }, make("a", { class: "label-name", href: path, title: video.name }, name), bar, make("span", { class: "label-time quiet" }, length(seconds)));
}

sets.addEventListener("change", () => {
  chosen = sets.value;
  history.replaceState(null, "", `?${new URLSearchParams({ set: chosen })}`);
  attempt(load);
});
await attempt(load);
await drawn();
document.body.classList.add("is-ready");
