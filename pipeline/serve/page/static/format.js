// Times, scores and names as people read them.

/** Format seconds as "1:02:03.4", "2:03.4" or, without tenths, "2:03". */
export function timecode(seconds, { decimals = 1 } = {}) {
  const factor = 10 ** decimals;
  const units = Math.round(Math.max(0, seconds) * factor);
  const whole = Math.floor(units / factor);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  const fraction = decimals ? `.${String(units % factor).padStart(decimals, "0")}` : "";
  return hours
    ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}${fraction}`
    : `${minutes}:${rest}${fraction}`;
}

/** Format a moment's start and end. */
export function interval(moment) {
  return `${timecode(moment.start_seconds)} – ${timecode(moment.end_seconds)}`;
}

/** Format a score between 0 and 1; only a score of 1 reads "1.00". */
export function score(value) {
  const shown = Math.min(value, value < 1 ? 0.999 : 1);
  return shown >= 0.995 && shown < 1 ? "0.99+" : shown.toFixed(2);
}

/** Take the last part of a path or an address. */
export function baseName(uri) {
  const parts = uri.replace(/[?#].*$/, "").split(/[\\/]/).filter(Boolean);
  return parts.at(-1) ?? uri;
}

/** Format a time as the clock of this machine shows it, "2026-11-30 08:05"; one without an offset is left as it is. */
export function dateTime(iso) {
  const at = new Date(iso ?? "");
  if (Number.isNaN(at.getTime())) return "";
  const two = (value) => String(value).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Format a length as "2 h 5 min", "3 min 20 s" or "12 s". */
export function length(seconds) {
  const whole = Math.round(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${whole} s`;
}
