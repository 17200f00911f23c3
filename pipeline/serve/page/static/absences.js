// Answers to a question of what is not there: a row for each video, and what the answer covers.

import { make } from "./dom.js";
import { baseName, score } from "./format.js";
import { counted, text } from "./strings.js";
import { momentOfAbsence } from "./elements/absence-row.js";

const EAGER = 6;
const MOST_REASONS = 3;

/**
 * Append stretches to the list; those of a video that is in it already join its row.
 *
 * @param {HTMLElement} list The list of answers.
 * @param {any[]} absences Stretches as the API gives them.
 * @param {{question: object, threshold: number, addressOf: (moment: any) => string}} options See `AbsenceRow.show`.
 * @returns {any[]} Their moments.
 */
export function appendAbsences(list, absences, options) {
  const moments = absences.map(momentOfAbsence);
  const videos = Map.groupBy ? Map.groupBy(moments, (one) => one.video_id) : grouped(moments);
  for (const [id, own] of videos) {
    const last = list.lastElementChild?.querySelector("absence-row");
    if (last?.moments[0].video_id === id) last.show([...last.moments, ...own], options);
    else {
      const row = document.createElement("absence-row");
      row.show(own, { ...options, isFirst: list.children.length < EAGER });
      list.append(make("li", {}, row));
    }
  }
  return moments;
}

function grouped(moments) {
  const found = new Map();
  for (const one of moments) found.set(one.video_id, [...(found.get(one.video_id) ?? []), one]);
  return found;
}

/** Say how many videos and stretches an answer has. */
export function absenceStatus(found) {
  const videos = counted("absent_videos", found.videos_without, { videos: found.videos.toLocaleString("en") });
  return `${videos} · ${counted("absent_found", found.found)}`;
}

/** Say what an answer does not cover. */
export function absenceNotes(found) {
  const skipped = found.explanation?.skipped ?? [];
  if (!skipped.length) return [];
  const reasons = skipped.slice(0, MOST_REASONS).map((one) => `${baseName(one.uri)}: ${one.why}`);
  if (skipped.length > MOST_REASONS) reasons.push("…");
  return [`${counted("absent_skipped", skipped.length)} ${reasons.join("; ")}`];
}

/** Say why there is no stretch without it: a heading and what to do. */
export function absenceEmptiness(found, said) {
  if (!found.videos) return [text("absent_nowhere_title"), found.explanation?.hint || text("nothing_filtered")];
  return [text("absent_everywhere_title", { question: said }), counted("absent_everywhere", found.videos, { score: score(found.min_score) })];
}
