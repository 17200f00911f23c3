// Moments as files: a table for spreadsheets, and clips.

import { clipAddress } from "./api.js";
import { baseName } from "./format.js";

const COLUMNS = ["id", "video", "video_id", "uri", "start_seconds", "end_seconds", "best_seconds", "score", "recorded_at"];
const BETWEEN_CLIPS_MILLISECONDS = 400;
/** What a spreadsheet would take for a formula; names of files are written by strangers. */
const FORMULA = /^[=+\-@\t\r]/;

/** Write moments as CSV. */
export function csv(moments) {
  const rows = moments.map((moment) => ({ ...moment, video: baseName(moment.uri) }));
  return [COLUMNS, ...rows.map((row) => COLUMNS.map((column) => row[column] ?? ""))].map(line).join("");
}

function line(cells) {
  return `${cells.map(cell).join(",")}\r\n`;
}

function cell(value) {
  const written = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
}

/** Let the browser save the clips of moments, one after another. */
export async function saveClips(moments) {
  for (const moment of moments) {
    const link = document.createElement("a");
    link.href = clipAddress(moment);
    link.download = "";
    link.click();
    // Browsers drop downloads that begin at the same time.
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_CLIPS_MILLISECONDS));
  }
}

/** Let the browser save a text as a file. */
export function save(content, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
