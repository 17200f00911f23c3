// The seek bar: the score over time, cuts, labels and moments of a video, and the place that plays.

import { timecode } from "../format.js";
import { text } from "../strings.js";

const CURVE_HEIGHT = 72;
const LABEL_HEIGHT = 18;
const MAP_HEIGHT = 14;
const GAP = 6;
const WHOLE_SECONDS = 150;
const AROUND_SECONDS = 30;
const LEAST_SECONDS = 1;
const STEP_SECONDS = 1;
const COLOURS = ["accent", "second", "third"];

/**
 * Fires `seek` with the seconds as its detail.
 */
export class ScoreTimeline extends HTMLElement {
  connectedCallback() {
    if (this._canvas) return;
    this._canvas = document.createElement("canvas");
    this._canvas.setAttribute("aria-hidden", "true");
    this._bubble = document.createElement("output");
    this._bubble.className = "timeline-bubble";
    this._bubble.setAttribute("aria-hidden", "true");
    this.append(this._canvas, this._bubble);
    this.setAttribute("role", "slider");
    this.tabIndex = 0;
    this.clear(0);
    this._listen();
    new ResizeObserver(() => this._draw()).observe(this);
    document.addEventListener("themechange", () => requestAnimationFrame(() => this._draw()));
  }

  /** Forget what was shown, and show a video of this length. */
  clear(durationSeconds) {
    this._duration = durationSeconds;
    this._curves = [];
    this._cuts = [];
    this._moments = [];
    this._labels = [];
    this._threshold = null;
    this._position = 0;
    this._view = [0, durationSeconds];
    this.setAttribute("aria-label", text("seek_bar"));
    this.setAttribute("aria-valuemin", "0");
    this.setAttribute("aria-valuemax", durationSeconds.toFixed(2));
    this.position = 0;
  }

  /**
   * Show scores and cuts.
   *
   * @param {{duration_seconds: number, cuts_seconds: number[], steps: {times_seconds: number[], scores: number[]}[]}} curve
   * @param {number|null} threshold The minimum score of a moment.
   */
  showCurve(curve, threshold) {
    this._curves = curve.steps;
    this._cuts = curve.cuts_seconds;
    this._threshold = threshold;
    this.position = this._position; // which now has a score
  }

  /** Show moments as intervals; `current` is the one that plays. */
  showMoments(moments, current = null) {
    this._moments = moments;
    this._current = current;
    if (current && this._duration > WHOLE_SECONDS) {
      const around = Math.max(AROUND_SECONDS, 2 * (current.end_seconds - current.start_seconds));
      this._view = this._clamped(current.start_seconds - around, current.end_seconds + around);
    }
    this._draw();
  }

  /** Show labels: a row of intervals for each. */
  showLabels(labels) {
    this._labels = labels;
    this.position = this._position; // which now has labels
  }

  get position() {
    return this._position;
  }

  set position(seconds) {
    this._position = seconds;
    this.setAttribute("aria-valuenow", seconds.toFixed(2));
    const score = this._scoreAt(seconds);
    const at = timecode(seconds);
    const said = score === null ? at : text("seek_value", { at, score: score.toFixed(2) });
    this.setAttribute("aria-valuetext", [said, ...this._labelsAt(seconds)].join(", "));
    const [from, to] = this._view;
    if (!this._isDragged && (seconds < from || seconds > to)) {
      const half = (to - from) / 2;
      this._view = this._clamped(seconds - half, seconds + half);
    }
    this._draw();
  }

  _clamped(from, to) {
    const length = Math.min(this._duration, Math.max(LEAST_SECONDS, to - from));
    const start = Math.min(Math.max(0, (from + to - length) / 2), this._duration - length);
    return [start, start + length];
  }

  _zoom(factor, around) {
    const [from, to] = this._view;
    this._view = this._clamped(around - (around - from) * factor, around + (to - around) * factor);
    this._draw();
  }

  get _isZoomed() {
    return this._view[1] - this._view[0] < this._duration - 0.001;
  }

  _listen() {
    const secondsOf = (event) => {
      const box = this._canvas.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      const isMap = this._isZoomed && event.clientY - box.top > box.height - MAP_HEIGHT;
      const [from, to] = this._dragged ?? (isMap ? [0, this._duration] : this._view);
      return [from + share * (to - from), [from, to]];
    };
    const seek = (seconds) => this.dispatchEvent(new CustomEvent("seek", { detail: seconds }));
    this._canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this._canvas.setPointerCapture(event.pointerId);
      this._isDragged = true;
      const [seconds, range] = secondsOf(event);
      this._dragged = range;
      seek(seconds);
    });
    this._canvas.addEventListener("pointermove", (event) => {
      const [seconds] = secondsOf(event);
      this._hover = seconds;
      this._showBubble(event, seconds);
      if (this._isDragged) seek(seconds);
      this._draw();
    });
    const release = () => {
      this._isDragged = false;
      this._dragged = null;
    };
    this._canvas.addEventListener("pointerup", release);
    this._canvas.addEventListener("pointercancel", release);
    this._canvas.addEventListener("pointerleave", () => {
      this._hover = null;
      this._bubble.classList.remove("is-shown");
      this._draw();
    });
    this._canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.deltaY) return;
        event.preventDefault();
        this._zoom(event.deltaY > 0 ? 1.25 : 0.8, secondsOf(event)[0]);
      },
      { passive: false },
    );
    this.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: -STEP_SECONDS, ArrowRight: STEP_SECONDS, PageUp: 10, PageDown: -10 };
      const ends = { Home: 0, End: this._duration };
      if (event.key in moves) seek(Math.min(this._duration, Math.max(0, this._position + moves[event.key])));
      else if (event.key in ends) seek(ends[event.key]);
      else if (event.key === "+") this._zoom(0.5, this._position);
      else if (event.key === "-") this._zoom(2, this._position);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  _showBubble(event, seconds) {
    const box = this.getBoundingClientRect();
    const score = this._scoreAt(seconds);
    const at = timecode(seconds);
    this._bubble.textContent = [at, score?.toFixed(2), ...this._labelsAt(seconds)].filter(Boolean).join(" · ");
    this._bubble.style.insetInlineStart = `${Math.min(box.width - 50, Math.max(50, event.clientX - box.left))}px`;
    this._bubble.classList.add("is-shown");
  }

  _labelsAt(seconds) {
    const isThen = (one) => one.start_seconds <= seconds && seconds < one.end_seconds;
    return this._labels.filter((label) => label.intervals.some(isThen)).map((label) => label.label);
  }

  /** The lowest of the steps' scores at the nearest sampled frame; null without a curve. */
  _scoreAt(seconds) {
    const found = this._curves
      .filter((curve) => curve.times_seconds.length)
      .map((curve) => curve.scores[nearest(curve.times_seconds, seconds)]);
    return found.length ? Math.max(...found) : null;
  }

  _draw() {
    const width = this.clientWidth;
    if (!width || !this._canvas) return;
    const labels = this._labels.length * LABEL_HEIGHT;
    const map = this._isZoomed ? MAP_HEIGHT + GAP : 0;
    const height = CURVE_HEIGHT + (labels ? GAP + labels : 0) + map;
    const ratio = window.devicePixelRatio || 1;
    const [pixelsAcross, pixelsDown] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this._canvas.width !== pixelsAcross || this._canvas.height !== pixelsDown) {
      this._canvas.width = pixelsAcross;
      this._canvas.height = pixelsDown;
      this._canvas.style.blockSize = `${height}px`;
    }
    const pen = this._canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(this);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const main = { top: 0, height: CURVE_HEIGHT, width, view: this._view };
    this._drawCurve(pen, main, colour);
    if (labels) this._drawLabels(pen, { ...main, top: CURVE_HEIGHT + GAP }, colour);
    this._drawPlayhead(pen, { ...main, height: height - map }, colour);
    if (map) this._drawMap(pen, { top: height - MAP_HEIGHT, height: MAP_HEIGHT, width }, colour);
  }

  _drawCurve(pen, { top, height, width, view }, colour, isSmall = false) {
    const x = (seconds) => ((seconds - view[0]) / (view[1] - view[0] || 1)) * width;
    const y = (score) => top + height - 1 - score * (height - 4);
    pen.fillStyle = colour("sunken");
    pen.fillRect(0, top, width, height);
    for (const moment of this._moments) {
      pen.fillStyle = moment === this._current ? colour("shade-strong") : colour("shade");
      const left = x(moment.start_seconds);
      pen.fillRect(left, top, Math.max(2, x(moment.end_seconds) - left), height);
    }
    if (!isSmall) {
      pen.fillStyle = colour("line-strong");
      for (const cut of this._cuts) if (cut > view[0] && cut < view[1]) pen.fillRect(Math.round(x(cut)), top, 1, height);
    }
    this._curves.forEach((curve, number) => {
      const name = colour(COLOURS[number % COLOURS.length]);
      const { times_seconds: times, scores } = curve;
      if (!times.length) return;
      // One sample beyond each edge, so that the line runs to it.
      const first = Math.max(0, nearest(times, view[0]) - 1);
      const last = Math.min(times.length - 1, nearest(times, view[1]) + 1);
      pen.beginPath();
      for (let index = first; index <= last; index += 1) pen.lineTo(x(times[index]), y(scores[index]));
      if (!isSmall) {
        pen.strokeStyle = name;
        pen.lineWidth = 1.75;
        pen.lineJoin = "round";
        pen.stroke();
      }
      pen.lineTo(x(times[last]), top + height);
      pen.lineTo(x(times[first]), top + height);
      pen.globalAlpha = isSmall ? 0.7 : 0.22;
      pen.fillStyle = name;
      pen.fill();
      pen.globalAlpha = 1;
    });
    if (!isSmall && this._threshold !== null && this._curves.length) {
      pen.strokeStyle = colour("quiet");
      pen.setLineDash([3, 4]);
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(0, y(this._threshold));
      pen.lineTo(width, y(this._threshold));
      pen.stroke();
      pen.setLineDash([]);
    }
  }

  _drawLabels(pen, { top, width, view }, colour) {
    const x = (seconds) => ((seconds - view[0]) / (view[1] - view[0] || 1)) * width;
    pen.font = `11px ${getComputedStyle(this).fontFamily}`;
    pen.textBaseline = "middle";
    this._labels.forEach((label, row) => {
      const line = top + row * LABEL_HEIGHT;
      pen.fillStyle = colour("sunken");
      pen.fillRect(0, line, width, LABEL_HEIGHT - 2);
      pen.fillStyle = colour("second");
      for (const interval of label.intervals) {
        const left = x(interval.start_seconds);
        pen.globalAlpha = 0.55;
        pen.fillRect(left, line, Math.max(2, x(interval.end_seconds) - left), LABEL_HEIGHT - 2);
        pen.globalAlpha = 1;
      }
      // A halo keeps the name readable where an interval begins beneath it.
      pen.strokeStyle = colour("sunken");
      pen.lineJoin = "round";
      pen.lineWidth = 4;
      pen.fillStyle = colour("text");
      for (const write of ["strokeText", "fillText"]) pen[write](label.label, 6, line + (LABEL_HEIGHT - 2) / 2);
    });
  }

  _drawPlayhead(pen, { top, height, width, view }, colour) {
    const x = (seconds) => ((seconds - view[0]) / (view[1] - view[0] || 1)) * width;
    if (this._hover !== null && this._hover !== undefined) {
      pen.fillStyle = colour("quiet");
      pen.fillRect(Math.round(x(this._hover)), top, 1, height);
    }
    pen.fillStyle = colour("text");
    const at = Math.min(width - 1, Math.max(1, x(this._position)));
    pen.fillRect(at - 1, top, 2, height);
    pen.beginPath();
    pen.moveTo(at - 5, top);
    pen.lineTo(at + 5, top);
    pen.lineTo(at, top + 6);
    pen.fill();
  }

  _drawMap(pen, { top, height, width }, colour) {
    this._drawCurve(pen, { top, height, width, view: [0, this._duration] }, colour, true);
    const x = (seconds) => (seconds / this._duration) * width;
    pen.strokeStyle = colour("text");
    pen.lineWidth = 1.5;
    const left = x(this._view[0]);
    pen.strokeRect(left + 0.75, top + 0.75, Math.max(4, x(this._view[1]) - left) - 1.5, height - 1.5);
    pen.fillStyle = colour("text");
    pen.fillRect(x(this._position) - 0.5, top, 1, height);
  }
}

/** Index of the time nearest to `seconds` in an ascending list that is not empty. */
function nearest(times, seconds) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < seconds) low = middle + 1;
    else high = middle;
  }
  return low > 0 && seconds - times[low - 1] < times[low] - seconds ? low - 1 : low;
}

customElements.define("score-timeline", ScoreTimeline);
