// The list of cases, and one case: its moments with their notes.

import { api, clipAddress, frameAddress } from "../api.js";
import { casePath, changeCase, NAME_PATTERN, renameCase } from "../cases.js";
import { button, drawn, icon, keepingFocus, make, replaceMissing } from "../dom.js";
import { baseName, interval } from "../format.js";
import { attempt } from "../notes.js";
import { session } from "../session.js";
import { counted, text } from "../strings.js";
import { saveClips } from "../table.js";

const find = (selector) => document.querySelector(selector);
const { name } = find("main").dataset;
const status = find("#status");
let isReader = false;
let moments = [];

const REST_MILLISECONDS = 600;

/**
 * Save what is typed into a field when the typing rests: a page that is left must not take it along.
 *
 * @param {HTMLTextAreaElement} field The field.
 * @param {(content: any) => void} change Writes its value into the content of the case.
 */
function keepTyped(field, change) {
  let timer = 0;
  let written = field.value;
  const write = async () => {
    clearTimeout(timer);
    if (field.value === written) return;
    const typed = (written = field.value);
    if (!(await keep(change)) && written === typed) written = null;
  };
  field.addEventListener("input", () => {
    tell();
    clearTimeout(timer);
    timer = setTimeout(write, REST_MILLISECONDS);
  });
  field.addEventListener("change", write);
}

/** Change the case, and say that it is saved. */
function keep(change) {
  return attempt(async () => {
    await changeCase(name, change);
    tell(text("case_saved"));
  });
}

function tell(news = null) {
  status.textContent = [counted("found", moments.length), news].filter(Boolean).join(" · ");
}

async function showList() {
  const { cases } = await api("/cases?limit=1000");
  status.textContent = cases.length ? counted("cases", cases.length) : text("cases_none");
  find("#cases").replaceChildren(
    ...cases.map((one) =>
      make(
        "li",
        {},
        icon("case"),
        make("a", { href: `/cases/${encodeURIComponent(one.name)}` }, one.name),
        make("span", { class: "quiet" }, [counted("found", one.moments), one.description].filter(Boolean).join(" · ")),
      ),
    ),
  );
}

async function showCase() {
  const content = await api(casePath(name));
  moments = content.moments;
  tell();
  find(".head-end").hidden = find(".case-description").hidden = false;
  find("#csv").href = `/api/v1${casePath(name)}.csv`;
  find("#description").value = content.description;
  find("#description").readOnly = isReader;
  find("#moments").replaceChildren(...moments.map(item));
}

function item(moment) {
  const video = moment.video === null ? moment.video_id : baseName(moment.video);
  const where = { q: moment.question, video: moment.video_id, play: moment.id };
  const note = make("textarea", { rows: 2, dir: "auto", readonly: isReader, maxlength: 4000, placeholder: text("note_hint"), "aria-label": text("note_label", { name: video, interval: interval(moment) }) });
  note.value = moment.note;
  keepTyped(note, (content) => {
    const own = content.moments.find((one) => one.id === moment.id);
    if (own) own.note = note.value;
  });
  const away = button(text("case_take_out", { name: video, interval: interval(moment) }), { name: "close", isQuiet: true });
  away.dataset.writes = "";
  away.addEventListener("click", () =>
    attempt(async () => {
      await changeCase(name, (content) => (content.moments = content.moments.filter((one) => one.id !== moment.id)));
      await keepingFocus(find("#moments"), showCase, find("#description"));
      tell(text("case_saved"));
    }),
  );
  const middle = (moment.start_seconds + moment.end_seconds) / 2;
  const picture = make("img", { src: frameAddress(moment.video_id, middle, 320), alt: "", width: 160, height: 90, loading: "lazy" });
  picture.addEventListener("error", () => replaceMissing(picture), { once: true });
  return make(
    "li",
    { class: "case-moment" },
    picture,
    make(
      "div",
      {},
      make("a", { href: `/?${new URLSearchParams(where)}` }, `${video}, ${interval(moment)}`),
      make("p", { class: "quiet" }, [moment.question, moment.by, moment.is_gone ? text("gone") : null].filter(Boolean).join(" · ")),
    ),
    note,
    make("div", { class: "case-buttons" }, !moment.is_gone ? make("a", { class: "button button-icon", href: clipAddress(moment), download: "", title: text("clip") }, icon("download"), make("span", { class: "hidden-text" }, text("clip"))) : null, away),
  );
}

if (name) {
  const form = find("#new-name-form");
  const box = find("#new-name");
  box.pattern = NAME_PATTERN;
  find("#clips")?.addEventListener("click", () => saveClips(moments.filter((moment) => !moment.is_gone)));
  find("#rename").addEventListener("click", () => {
    form.hidden = !form.hidden;
    find("#rename").setAttribute("aria-expanded", String(!form.hidden));
    if (form.hidden) return;
    box.value = name;
    box.select();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => location.assign(`/cases/${encodeURIComponent(await renameCase(name, box.value.trim()))}`));
  });
  find("#remove").addEventListener("click", () =>
    attempt(async () => {
      if (!confirm(text("case_remove_sure", { name }))) return;
      await api(casePath(name), { method: "DELETE" });
      location.assign("/cases");
    }),
  );
}
isReader = (await session).role === "search";
await attempt(name ? showCase : showList);
if (name) keepTyped(find("#description"), (content) => (content.description = find("#description").value));
await drawn();
document.body.classList.add("is-ready");
