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

/** Look up the verdict of a part; null if it has no mark of this subject. */
export async function verdictOf(moment, subject) {
  const found = await api(`/marks?${new URLSearchParams({ subject, video_id: moment.video_id, limit: 1000 })}`);
  return found.marks.find((one) => one.id === moment.id)?.verdict ?? null;
}

/** What marks of a question are about: its one text, or the subject of its one concept; null for other questions. */
export async function subjectOf(question) {
  if (question === null || question.shows.length !== 1 || question.without || question.then || question.none) return null;
  const [term] = question.shows;
  const concept = conceptOf(term);
  if (concept !== null) return (await api(`/concepts/${encodeURIComponent(concept)}`)).subject;
  return term.text ?? null;
}
