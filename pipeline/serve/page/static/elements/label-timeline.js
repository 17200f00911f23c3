// Labels over time: a row for each label, a bar with its intervals.

import { make } from "../dom.js";
import { interval as written, length } from "../format.js";
import { text } from "../strings.js";

/**
 * Place intervals on a bar.
 *
 * @param {{start_seconds: number, end_seconds: number}[]} intervals The intervals.
 * @param {number} durationSeconds What the bar's width stands for.
 * @param {(interval: any) => HTMLElement} makeItem Makes the element of an interval.
 */
export function intervalBar(intervals, durationSeconds, makeItem) {
  const share = (seconds) => `${((100 * seconds) / (durationSeconds || 1)).toFixed(3)}%`;
  const items = intervals.map((one) => {
    const item = makeItem(one);
    item.classList.add("interval");
    item.style.insetInlineStart = share(one.start_seconds);
    item.style.inlineSize = share(one.end_seconds - one.start_seconds);
    return item;
  });
  return make("div", { class: "interval-bar" }, ...items);
}

/** Total time of intervals, in seconds. */
export function secondsOf(intervals) {
  return intervals.reduce((sum, one) => sum + one.end_seconds - one.start_seconds, 0);
}

/**
 * Fires `seek` with the seconds as its detail.
 */
export class LabelTimeline extends HTMLElement {
  /**
   * Show the labels of a video; those without an interval are left out.
   *
   * @param {{label: string, intervals: any[]}[]} labels
   * @param {number} durationSeconds Length of the video.
   */
  show(labels, durationSeconds) {
    this._duration = durationSeconds;
    this._buttons = [];
    const tracks = labels.filter((one) => one.intervals.length > 0);
    this._rows = tracks.map((track) => this._row(track));
    this.replaceChildren(
      make("div", { class: "labels-head" }, make("h2", {}, text("labels")), make("p", { class: "quiet" }, text(tracks.length ? "labels_keys" : "labels_nowhere"))),
      make("ul", { class: "label-rows", "aria-label": text("labels") }, ...this._rows.map(({ row }) => row)),
    );
    if (this._buttons.length) this._buttons[0][0].tabIndex = 0;
    if (this._isHeard) return;
    this._isHeard = true;
    this.addEventListener("keydown", (event) => this._move(event));
  }

  /** The second that plays: it is marked on the bars, and the labels of it are emphasised. */
  set position(seconds) {
    if (!this._rows) return;
    this.style.setProperty("--at", `${(100 * seconds) / (this._duration || 1)}%`);
    for (const { row, items } of this._rows) {
      let isOn = false;
      for (const [one, item] of items) {
        const isNow = one.start_seconds <= seconds && seconds < one.end_seconds;
        if (isNow) item.setAttribute("aria-current", "true");
        else item.removeAttribute("aria-current");
        isOn ||= isNow;
      }
      row.classList.toggle("is-on", isOn);
    }
  }

  _row(track) {
    const items = [];
    const bar = intervalBar(track.intervals, this._duration, (one) => {
      const label = text("label_interval", { label: track.label, interval: written(one), confidence: one.confidence.toFixed(2) });
      const item = make("button", { type: "button", "aria-label": label, title: label, tabindex: -1 });
      item.addEventListener("click", () => this.dispatchEvent(new CustomEvent("seek", { detail: one.start_seconds })));
      items.push([one, item]);
      return item;
    });
    this._buttons.push(items.map(([, item]) => item));
    const asked = new URLSearchParams({ q: track.label, label: track.label });
    const row = make(
      "li",
      {},
      make("a", { class: "label-name", href: `/?${asked}`, title: text("label_search", { label: track.label }) }, track.label),
      bar,
      make("span", { class: "label-time quiet" }, length(secondsOf(track.intervals))),
    );
    return { row, items };
  }

  /** Arrows move among the intervals; the Tab key enters and leaves them at one place. */
  _move(event) {
    const row = this._buttons.findIndex((buttons) => buttons.includes(event.target));
    if (row < 0) return;
    const column = this._buttons[row].indexOf(event.target);
    const above = (by) => {
      const other = this._buttons[row + by];
      return other?.[Math.min(column, other.length - 1)];
    };
    const moves = {
      ArrowRight: () => this._buttons[row][column + 1],
      ArrowLeft: () => this._buttons[row][column - 1],
      ArrowDown: () => above(1),
      ArrowUp: () => above(-1),
      Home: () => this._buttons[0][0],
      End: () => this._buttons.at(-1).at(-1),
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    const next = moves[event.key]();
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

customElements.define("label-timeline", LabelTimeline);
