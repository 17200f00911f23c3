// Doubtful frames of a subject for the review queue: uncertain ones, and likely and unlikely ones without a mark.

import { api } from "./api.js";
import { make } from "./dom.js";
import { text } from "./strings.js";

/** Scores between which frames of a kind lie; as in the review of the command line. */
const KINDS = { uncertain: [0.2, 0.8], likely: [0.8, 0.999999], unlikely: [0.000001, 0.2] };
const COUNT = 20;
const MOST = 200;

/** The kind of a frame with this score. */
export function kindOf(score) {
  if (score > KINDS.uncertain[1]) return "likely";
  return score >= KINDS.uncertain[0] ? "uncertain" : "unlikely";
}

/**
 * Ask for the frames of a subject that a mark would teach most, the most doubtful first.
 *
 * @param {string} subject The subject, or "concept:NAME".
 * @param {string} kind "all", "uncertain", "likely" or "unlikely".
 * @returns {Promise<{items: any[], notes: string[], subject: string}>}
 */
export async function doubtful(subject, kind) {
  const parameters = new URLSearchParams({ subject, count: kind === "all" ? COUNT : MOST });
  if (kind !== "all") {
    parameters.set("least", KINDS[kind][0]);
    parameters.set("most", KINDS[kind][1]);
  }
  const found = await api(`/review/uncertain?${parameters}`);
  const items = kind === "all" ? found.items : found.items.filter((item) => kindOf(item.score) === kind);
  return { ...found, items: items.slice(0, COUNT) };
}

/** Offer the subjects that have marks, and the concepts. */
export async function listSubjects(list) {
  const [{ marks }, { concepts }] = await Promise.all([api("/marks?limit=1000"), api("/concepts")]);
  const known = new Set([...concepts.map((concept) => `concept:${concept.name}`), ...marks.map((one) => one.subject)]);
  list.replaceChildren(...[...known].sort().map((value) => make("option", { value })));
}

/** Make the choice of a kind; `changed` is called with the new one. */
export function kindChoice(place, chosen, changed) {
  place.replaceChildren(
    make("legend", { class: "hidden-text" }, text("review_kinds")),
    ...["all", ...Object.keys(KINDS)].map((kind) => {
      const input = make("input", { type: "radio", name: "kind", value: kind, checked: kind === chosen });
      input.addEventListener("change", () => changed(kind));
      return make("label", { title: text(`review_${kind}_title`) }, input, make("span", {}, text(`review_${kind}`)));
    }),
  );
}
