// Cases: named lists of moments with notes. What two people write at the same time must not get lost.

import { api } from "./api.js";

const TRIES = 3;

/** What the server takes as a name; a browser would change an address that ends with a name of dots only. */
export const NAME_PATTERN = "(?!\\s*\\.)(?!.*\\.[cC][sS][vV]\\s*$)[^\\/\\\\]*[^\\/\\\\\\s][^\\/\\\\]*";

/** Address of a case in the API. */
export function casePath(name) {
  return `/cases/${encodeURIComponent(name)}`;
}

/** Names of all cases. */
export async function caseNames() {
  const { cases } = await api("/cases?limit=1000");
  return cases.map((one) => one.name);
}

/**
 * Change a case, or make it; where somebody else changes it meanwhile, what they wrote is read and the change repeated.
 *
 * @param {string} name Name of the case.
 * @param {(content: {description: string, moments: any[]}) => void} change Changes the content in place.
 */
export function changeCase(name, change) {
  // One after another: the changes of one page must not meet each other.
  last = last.catch(() => {}).then(() => changed(name, change));
  return last;
}

let last = Promise.resolve();

async function changed(name, change) {
  let isMet = false;
  for (let tries = 1; ; tries += 1) {
    const isKnown = isMet || (await caseNames()).some((one) => one.toLowerCase() === name.toLowerCase());
    const empty = [{ description: "", moments: [] }, null];
    const [found, version] = isKnown ? await api(casePath(name), { isTagged: true }) : empty;
    const content = { description: found.description, moments: found.moments.map(({ id, note, question }) => ({ id, note, question })) };
    change(content);
    try {
      const headers = version === null ? { "If-None-Match": "*" } : { "If-Match": version };
      return await api(casePath(name), { method: "PUT", json: content, headers });
    } catch (error) {
      if (error.status !== 412 || tries === TRIES) throw error;
      // A case that could not be made is there, though the list may have another spelling of its name.
      isMet = version === null;
    }
  }
}

/** Give a case another name; return it as the server writes it. */
export async function renameCase(name, newName) {
  const renamed = await api(`${casePath(name)}/name`, { json: { name: newName } });
  return renamed.name;
}

/** Add moments, with their notes and questions, to a case, or to a new one; return how many were not in it before. */
export async function addToCase(name, moments) {
  let added = 0;
  await changeCase(name, (content) => {
    const known = new Set(content.moments.map((moment) => moment.id));
    const fresh = moments.filter((moment) => !known.has(moment.id));
    added = fresh.length;
    content.moments.push(...fresh);
  });
  return added;
}
