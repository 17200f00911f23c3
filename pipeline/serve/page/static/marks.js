// Marks: whether a part of a video shows what was asked for. Concepts are fitted to them.

import { api } from "./api.js";
import { conceptOf } from "./question.js";

function path(part, subject) {
  return `/marks/${encodeURIComponent(part)}?${new URLSearchParams({ subject })}`;
}

/** Write the verdict of a part: "yes" if it shows the subject, "no" if it does not; null removes the mark. */
export function mark(part, subject, verdict) {
  return api(path(part, subject), verdict === null ? { method: "DELETE" } : { method: "PUT", json: { verdict } });
}

/**
 * The part that a verdict on a moment is about: the moment; of a stretch without the subject, the nearest frame. That
 * frame is what a person has looked at, and what the verdict is in doubt about.
 */
export function markedPart(moment) {
  if (!moment.is_absence) return moment;
  const { video_id: video, best_seconds: at } = moment;
  return { id: `${video}@${at},${at}`, video_id: video, start_seconds: at, end_seconds: at };
}

/** Look up the verdict of a part; null if it has no mark of this subject. */
export async function verdictOf(part, subject) {
  const found = await api(`/marks?${new URLSearchParams({ subject, video_id: part.video_id, limit: 1000 })}`);
  // Not by id, in which a number can be written in several ways.
  const isSame = (one) => one.start_seconds === part.start_seconds && one.end_seconds === part.end_seconds;
  return found.marks.find(isSame)?.verdict ?? null;
}

/** What marks of a question are about: its one text, or the subject of its one concept; null for other questions. */
export async function subjectOf(question) {
  if (question === null || question.shows.length !== 1 || question.without || question.then) return null;
  const [term] = question.shows;
  const concept = conceptOf(term);
  if (concept !== null) return (await api(`/concepts/${encodeURIComponent(concept)}`)).subject;
  return term.text ?? null;
}
