// Cases: named lists of moments with notes. What two people write at the same time must not get lost.

import { api } from "./api.js";

const TRIES = 3;

/** What a name may be made of; it is part of an address. */
export const NAME_PATTERN = "[^\\/]+";

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
  for (let tries = 1; ; tries += 1) {
    const isKnown = (await caseNames()).some((one) => one.toLowerCase() === name.toLowerCase());
    const empty = [{ description: "", moments: [] }, null];
    const [found, version] = isKnown ? await api(casePath(name), { isTagged: true }) : empty;
    const content = { description: found.description, moments: found.moments.map(({ id, note, question }) => ({ id, note, question })) };
    change(content);
    try {
      const headers = version === null ? { "If-None-Match": "*" } : { "If-Match": version };
      return await api(casePath(name), { method: "PUT", json: content, headers });
    } catch (error) {
      if (error.status !== 412 || tries === TRIES) throw error;
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
