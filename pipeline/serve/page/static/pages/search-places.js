// The address of the page of questions: what is asked, which moment plays, and what a step back leads to.

import { api } from "../api.js";
import { Question } from "../question.js";

/** Write a question as a text that tells it from others. */
export function keyOf(question) {
  return question.toParameters().toString();
}

/** Address of a question, and of a moment among its answers. */
export function addressOf(question, moment = null) {
  const parameters = question.toParameters();
  if (moment) parameters.set("play", moment.id);
  const query = parameters.toString();
  return query ? `/?${query}` : "/";
}

/** What the address says now: the question, and the id of the moment that plays. */
export function here() {
  const parameters = new URLSearchParams(location.search);
  return { question: Question.ofParameters(parameters), playing: parameters.get("play") };
}

/** Note that a question is asked. One that differs in its minimum score alone is not a step of its own. */
export function noteQuestion(question) {
  const known = here().question;
  known.min_score = question.min_score;
  if (keyOf(known) === keyOf(question)) history.replaceState(null, "", addressOf(question));
  else history.pushState(null, "", addressOf(question));
}

/** Note that a moment plays. All moments that play one after another are one step. */
export function noteMoment(question, moment) {
  const isStep = !history.state?.isPlayer && here().playing === null;
  history[isStep ? "pushState" : "replaceState"]({ isPlayer: true }, "", addressOf(question, moment));
}

/** Note that nothing plays any more. The step stays for the next moment, so that steps do not pile up. */
export function noteNoMoment(question) {
  history[history.state?.isPlayer ? "replaceState" : "pushState"]({ isPlayer: true }, "", addressOf(question));
}

/** A linked moment that is not among the answers any more; null if it cannot be one. */
export async function linkedMoment(id) {
  const found = /^(.+)@([\d.e+-]+),([\d.e+-]+)$/.exec(id);
  if (!found) return null;
  const video = await api(`/videos/${encodeURIComponent(found[1])}`);
  const [start, end] = [Number(found[2]), Number(found[3])];
  return { id, video_id: found[1], uri: video.name ?? video.names[0] ?? found[1], start_seconds: start, end_seconds: end, best_seconds: start, score: null };
}
