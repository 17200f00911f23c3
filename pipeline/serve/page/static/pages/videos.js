// The list of the library's videos, and of what could not be indexed.

import { api, frameAddress } from "../api.js";
import { drawn, make, replaceMissing } from "../dom.js";
import { showFailures } from "../failures.js";
import { baseName, length, timecode } from "../format.js";
import { showError } from "../notes.js";
import "../session.js";
import { counted, text } from "../strings.js";

const PAGE = 60;
const PICTURE_WIDTH = 480;

const find = (selector) => document.querySelector(selector);
const list = find("#videos");
const more = find("#more");
const status = find("#status");
const notes = find("#notes");
const box = find("#video-name");
const order = find("#order");

let next = null;
let sought = "";
let request = null;
let shown = 0;

async function load({ isFirst }) {
  const parameters = new URLSearchParams({ limit: PAGE, name: isFirst ? box.value.trim() : sought, order: order.value });
  if (!isFirst && next) parameters.set("cursor", next);
  sought = parameters.get("name");
  request?.abort();
  request = new AbortController();
  try {
    const page = await api(`/videos?${parameters}`, { signal: request.signal });
    if (isFirst) {
      list.replaceChildren();
      shown = 0;
    }
    next = page.next;
    list.append(...page.videos.map((video, index) => make("li", {}, card(video, isFirst && index < 12))));
    shown += page.videos.length;
    more.hidden = next === null;
    status.textContent = page.total || !sought ? counted("videos", page.total) : text("videos_none");
    showBroken(page.broken);
    notes.replaceChildren();
  } catch (error) {
    if (error.name !== "AbortError") showError(error);
  }
}

function card(video, isSoon) {
  const name = baseName(video.name);
  const state = text(`status_${video.status}`);
  const picture = make("img", {
    src: frameAddress(video.video_id, video.duration_seconds / 2, PICTURE_WIDTH),
    alt: "",
    width: 16,
    height: 9,
    loading: isSoon ? "eager" : "lazy",
    decoding: "async",
  });
  picture.addEventListener("error", () => replaceMissing(picture), { once: true });
  return make(
    "a",
    {
      class: "video-card",
      href: `/videos/${encodeURIComponent(video.video_id)}`,
      "aria-label": text("video_label", { name, length: length(video.duration_seconds), status: state }),
    },
    make("span", { class: "video-picture" }, picture, make("span", {}, timecode(video.duration_seconds, { decimals: 0 }))),
    make(
      "span",
      { class: "video-text" },
      make("span", { class: "video-name", title: video.name }, name),
      make(
        "span",
        { class: "video-more" },
        make("span", { class: `badge badge-${video.status}` }, state),
        make("span", {}, `${video.width}×${video.height} ${video.codec}`),
        ...Object.entries(video.metadata).map(([key, value]) => {
          const entry = `${key} ${value}`;
          return make("span", { class: "video-entry", title: entry }, entry);
        }),
        video.problem ? make("span", {}, video.problem) : null,
      ),
    ),
  );
}

function showBroken(broken) {
  const section = find("#broken");
  section.hidden = broken.length === 0;
  section.querySelector("ul").replaceChildren(
    ...broken.map(({ video_id: id, problem }) => make("li", {}, make("strong", {}, id), problem)),
  );
}

/** Index what failed again, and show how that goes. */
async function retry(sources) {
  await api("/runs", { json: { sources } });
  location.assign("/runs");
}

/** Show the list that the form asks for, and keep it in the address. */
function ask() {
  const name = box.value.trim();
  const wanted = new URLSearchParams({ ...(name ? { name } : {}), ...(order.value === "id" ? {} : { order: order.value }) });
  history.replaceState(null, "", String(wanted) ? `/videos?${wanted}` : "/videos");
  load({ isFirst: true });
}

find("#find").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
order.addEventListener("change", ask);
more.addEventListener("click", () => load({ isFirst: false }));
const parameters = new URLSearchParams(location.search);
box.value = parameters.get("name") ?? "";
order.value = parameters.get("order") ?? "id";
if (order.selectedIndex < 0) order.value = "id";
await load({ isFirst: true });
await showFailures(find("#failures"), retry).catch(showError);
await drawn();
document.body.classList.add("is-ready");
