// The stretches of one video that do not show what was asked for, on a bar with the score of each frame.

import { api, frameAddress } from "../api.js";
import { draw, make, replaceMissing } from "../dom.js";
import { baseName, interval, length, score, timecode } from "../format.js";
import { counted, text } from "../strings.js";

const PICTURE_WIDTH = 320;
/** The bar's own units: it is stretched to whatever place it gets. */
const WIDTH = 1000;
const HEIGHT = 100;

/**
 * Make the moment that stands for a stretch in the player: it opens at the frame that comes nearest.
 *
 * @param {any} absence A stretch as the API gives it.
 */
export function momentOfAbsence(absence) {
  const { nearest_seconds: at, nearest_score: nearest } = absence;
  return { ...absence, best_seconds: at, score: nearest, is_absence: true };
}

/**
 * Fires `opened`, which bubbles; its detail is the moment of a stretch, and the second that is wanted, if it is known.
 */
export class AbsenceRow extends HTMLElement {
  /**
   * Show the stretches of a video.
   *
   * @param {any[]} moments What `momentOfAbsence` makes of them, in order of time.
   * @param {{question: object, threshold: number, addressOf: (moment: any) => string, isFirst?: boolean}} options The
   *   question as JSON, the minimum score, where a stretch's link leads, and whether its picture is needed at once.
   */
  show(moments, { question, threshold, addressOf, isFirst = false }) {
    this._question = question;
    this._threshold = threshold;
    this._addressOf = addressOf;
    this.moments = moments;
    const [first] = moments;
    const nearest = moments.reduce((one, other) => (other.score > one.score ? other : one));
    const picture = make("img", { src: frameAddress(first.video_id, nearest.best_seconds, PICTURE_WIDTH), alt: "", width: 160, height: 90, loading: isFirst ? "eager" : "lazy", decoding: "async", fetchpriority: "low" });
    picture.addEventListener("error", () => replaceMissing(picture), { once: true });
    const seconds = moments.reduce((sum, one) => sum + one.end_seconds - one.start_seconds, 0);
    const name = baseName(first.uri);
    this._bar = make("div", { class: "absence-bar", "aria-hidden": "true" });
    this._bubble = make("span", { class: "absence-at" });
    const facts = [
      text(first.is_whole ? "absent_whole" : "absent_part", { length: length(seconds) }),
      first.recorded_at ? first.recorded_at.replace("T", " ").slice(0, 16) : null,
      first.is_gone ? text("gone") : null,
    ];
    this.replaceChildren(
      make("div", { class: "absence-picture" }, picture),
      make(
        "div",
        { class: "absence-text" },
        make(
          "div",
          { class: "absence-head" },
          make("a", { class: "absence-name", href: `/videos/${encodeURIComponent(first.video_id)}`, title: first.uri }, name),
          make("span", { class: first.is_whole ? "absence-whole" : "quiet" }, facts.filter(Boolean).join(" · ")),
        ),
        this._bar,
        make("ul", { class: "stretches", "aria-label": text("absent_stretches", { name }) }, ...moments.map((moment) => make("li", {}, this._link(moment, name)))),
      ),
    );
    this._listen();
    this._observe();
  }

  /** Id of the stretch that plays. */
  set current(id) {
    for (const link of this.querySelectorAll(".stretch")) {
      if (link.moment.id === id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  _link(moment, name) {
    const values = { name, interval: interval(moment), score: score(moment.score), at: timecode(moment.best_seconds), gap: moment.largest_gap_seconds.toFixed(1) };
    const link = make(
      "a",
      { class: "stretch", href: this._addressOf(moment), "aria-label": text("absent_label", values), title: [counted("absent_frames", moment.frames), text("absent_gap", values)].join(", ") },
      make("span", { class: "stretch-time" }, values.interval),
      make("span", { class: "quiet" }, text("absent_nearest", values)),
    );
    link.moment = moment;
    return link;
  }

  _open(moment, at = null) {
    this.dispatchEvent(new CustomEvent("opened", { detail: { moment, at }, bubbles: true }));
  }

  _listen() {
    this.addEventListener("click", (event) => {
      const link = event.target.closest("a.stretch");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      this._open(link.moment);
    });
    const secondsOf = (event) => {
      const box = this._bar.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this._duration;
    };
    this._bar.addEventListener("pointermove", (event) => {
      if (this._duration === undefined) return;
      const seconds = secondsOf(event);
      const found = this._scoreAt(seconds);
      const at = timecode(seconds);
      this._bubble.textContent = found === null ? at : text("absent_at", { at, score: score(found) });
      this._bubble.style.insetInlineStart = `${(100 * seconds) / this._duration}%`;
      this._bar.classList.add("is-pointed");
    });
    this._bar.addEventListener("pointerleave", () => this._bar.classList.remove("is-pointed"));
    this._bar.addEventListener("click", (event) => {
      if (this._duration === undefined) return;
      const seconds = secondsOf(event);
      const away = (one) => Math.max(one.start_seconds - seconds, seconds - one.end_seconds, 0);
      const moment = this.moments.reduce((one, other) => (away(other) < away(one) ? other : one));
      this._open(moment, seconds);
    });
  }

  /** The scores are asked for when the row comes into view. */
  _observe() {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      this._learn();
    });
    observer.observe(this);
  }

  async _learn() {
    const { shows, without } = this._question;
    try {
      const curve = await api(`/videos/${encodeURIComponent(this.moments[0].video_id)}/curve`, { json: { shows, without } });
      this._curve = curve.steps[0];
      this._duration = curve.duration_seconds;
    } catch {
      // The stretches are known without the scores.
      this._duration = this.moments.at(-1).end_seconds;
    }
    this._draw();
  }

  _scoreAt(seconds) {
    const { times_seconds: times, scores } = this._curve ?? { times_seconds: [] };
    if (!times.length) return null;
    const after = times.findIndex((time) => time >= seconds);
    if (after <= 0) return scores.at(after);
    return scores[times[after] - seconds < seconds - times[after - 1] ? after : after - 1];
  }

  _draw() {
    const x = (seconds) => ((seconds / this._duration) * WIDTH).toFixed(1);
    const y = (value) => (HEIGHT - value * HEIGHT).toFixed(1);
    const parts = this.moments.map((one) => {
      const width = Math.max(2, x(one.end_seconds) - x(one.start_seconds));
      return draw("rect", { class: "bar-without", x: x(one.start_seconds), y: 0, width, height: HEIGHT });
    });
    if (this._curve?.times_seconds.length) {
      const { times_seconds: times, scores } = this._curve;
      const points = times.map((time, index) => `${x(time)},${y(scores[index])}`);
      parts.push(
        draw("polygon", { class: "bar-area", points: [`${x(times[0])},${HEIGHT}`, ...points, `${x(times.at(-1))},${HEIGHT}`].join(" ") }),
        draw("polyline", { class: "bar-curve", points: points.join(" ") }),
        draw("line", { class: "bar-threshold", x1: 0, x2: WIDTH, y1: y(this._threshold), y2: y(this._threshold) }),
      );
    }
    for (const one of this.moments) {
      parts.push(draw("line", { class: "bar-nearest", x1: x(one.best_seconds), x2: x(one.best_seconds), y1: 0, y2: HEIGHT }));
    }
    this._bar.replaceChildren(draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" }, ...parts), this._bubble);
  }
}

customElements.define("absence-row", AbsenceRow);
