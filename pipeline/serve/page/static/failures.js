// Videos that could not be indexed, with their causes, and another try.

import { api } from "./api.js";
import { button, make } from "./dom.js";
import { attempt } from "./notes.js";
import { session } from "./session.js";
import { counted, text } from "./strings.js";

const MOST = 200;

/**
 * Show in a section what could not be indexed.
 *
 * @param {HTMLElement} section It has an h2 and a list; it is hidden if there are no failures.
 * @param {(sources: object[]) => Promise<void>} retry Indexes sources again.
 */
export async function showFailures(section, retry) {
  const { failures, total } = await api(`/failures?limit=${MOST}`);
  section.hidden = failures.length === 0;
  section.querySelector("h2").textContent = `${text("failures_title")}: ${counted("videos", total)}`;
  const canRetry = (await session).can_index;
  section.querySelector("[data-retry-all]")?.remove();
  if (canRetry && failures.length > 1) {
    const all = again(text("retry_all"), failures, retry);
    all.dataset.retryAll = "";
    section.querySelector("ul").before(all);
  }
  section.querySelector("ul").replaceChildren(
    ...failures.map((failure) =>
      make(
        "li",
        {},
        make("strong", {}, failure.uri),
        make("p", {}, failure.problem),
        canRetry ? again(text("retry"), [failure], retry) : null,
      ),
    ),
  );
}

function again(label, failures, retry) {
  const control = button(label, { name: "loop" });
  if (failures.length === 1) control.setAttribute("aria-label", text("retry_label", { name: failures[0].uri }));
  control.addEventListener("click", async () => {
    control.disabled = true;
    await attempt(() => retry(failures.map(({ uri, metadata }) => ({ uri, metadata }))));
    control.disabled = false;
  });
  return control;
}
