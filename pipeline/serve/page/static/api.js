// The HTTP API of the server that gave out this page.

import { text } from "./strings.js";

const PREFIX = "/api/v1";

/** A request that failed, with what the server says of it. */
export class ApiError extends Error {
  /**
   * @param {string} detail What is wrong and what to do.
   * @param {{status?: number, code?: string}} [more] HTTP status, 0 if there was no answer, and the problem's code.
   */
  constructor(detail, { status = 0, code = "unreachable" } = {}) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/**
 * Ask the API.
 *
 * @param {string} path Path below /api/v1.
 * @param {{method?: string, json?: unknown, body?: BodyInit, type?: string, headers?: Object<string, string>,
 *   signal?: AbortSignal, isTagged?: boolean}} [options] With `isTagged`, the entity tag is returned as well.
 * @returns {Promise<any>} The answer's JSON, null for an empty answer; with `isTagged`, an array of it and the tag.
 * @throws {ApiError} The server refuses, fails or cannot be reached.
 */
export async function api(path, { method, json, body, type, headers: more, signal, isTagged } = {}) {
  const headers = { Accept: "application/json", ...more };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  else if (type) headers["Content-Type"] = type;
  let response;
  try {
    response = await fetch(PREFIX + path, {
      method: method ?? (json === undefined && body === undefined ? "GET" : "POST"),
      headers,
      body: json === undefined ? body : JSON.stringify(json),
      signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(text("unreachable"));
  }
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (!response.ok) throw await problemOf(response);
  const answer = response.status === 204 ? null : await response.json();
  return isTagged ? [answer, response.headers.get("ETag")] : answer;
}

async function problemOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Not an answer of this server; its status is all there is to say.
  }
  const detail = problem.detail ?? `${response.status} ${response.statusText}`;
  return new ApiError(String(detail), { status: response.status, code: problem.code });
}

const inPath = (videoId) => `${PREFIX}/videos/${encodeURIComponent(videoId)}`;

/** Address of a frame as a JPEG picture. */
export function frameAddress(videoId, seconds, width) {
  return `${inPath(videoId)}/frames/${Number(seconds.toFixed(3))}.jpg?width=${width}`;
}

/** Address of a sheet of pictures of a part of a video. */
export function spriteAddress(videoId, { tiles, width, start, end }) {
  const part = new URLSearchParams({ tiles, width, start: start.toFixed(3), end: end.toFixed(3) });
  return `${inPath(videoId)}/sprite.jpg?${part}`;
}

/** Address of a video for the player. */
export function mediaAddress(videoId) {
  return `${inPath(videoId)}/media`;
}

/** Address of a part of a video for the player; its time 0 is the start. */
export function partAddress(videoId, start, end) {
  return `${inPath(videoId)}/part.mp4?${new URLSearchParams({ start: start.toFixed(3), end: end.toFixed(3) })}`;
}

/** Address of a moment as a clip to be saved. */
export function clipAddress(moment) {
  return `${PREFIX}/moments/${encodeURIComponent(moment.id)}/clip.mp4?download=true`;
}
