// The panel that plays a moment, beside the answers or, on a small screen, above them.

import { api, clipAddress } from "../api.js";
import { button, copyTo, icon, make } from "../dom.js";
import { baseName, interval, score } from "../format.js";
import { mark, markedPart, subjectOf, verdictOf } from "../marks.js";
import { text } from "../strings.js";
import "./score-timeline.js";
import "./video-stage.js";

const MOST_LABELS = 8;

/**
 * Fires `move` (detail: 1 or -1), `closed`, `similar` and `dissimilar` (detail: {video_id, at}), and `link`.
 */
export class MomentPlayer extends HTMLElement {
  connectedCallback() {
    if (this.stage) return;
    this._videos = new Map();
    this._curves = new Map();
    this.stage = document.createElement("video-stage");
    this._timeline = document.createElement("score-timeline");
    this._name = make("h2", { class: "player-name", tabindex: "-1" });
    this._where = make("p", { class: "player-where", "aria-live": "polite" });
    this._previous = button(text("previous"), { name: "previous", isQuiet: true, keys: "K" });
    this._next = button(text("next"), { name: "next", isQuiet: true, keys: "J" });
    const close = button(text("close"), { name: "close", isQuiet: true, keys: "Escape" });
    const similar = button(text("similar"), { name: "similar" });
    const dissimilar = button(text("dissimilar"), { name: "dissimilar" });
    const link = button(text("copy_link"), { name: "link" });
    this._why = make("details", { class: "player-why" }, make("summary", {}, icon("why"), text("why")), make("div"));
    this._clip = make("a", { class: "button", download: "" }, icon("download"), text("clip"));
    this._right = button(text("mark_right"), { name: "right", pressed: false, keys: "Y" });
    this._wrong = button(text("mark_wrong"), { name: "close", pressed: false, keys: "N" });
    this._marks = make("div", { class: "player-marks", "data-writes": true, role: "group", "aria-label": text("marks"), hidden: true }, this._right, this._wrong);
    this.actions = make("div", { class: "player-actions" }, similar, dissimilar, link, this._clip);
    this._problem = make("p", { class: "quiet", role: "status" });
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", text("player"));
    this.append(
      make(
        "div",
        { class: "player-head" },
        make("div", { class: "player-title" }, this._name, this._where),
        make("div", { class: "player-buttons" }, this._previous, this._next, close),
      ),
      this.stage,
      this._timeline,
      this._problem,
      this._marks,
      this.actions,
      this._why,
    );
    this._previous.addEventListener("click", () => this._fire("move", -1));
    this._next.addEventListener("click", () => this._fire("move", 1));
    close.addEventListener("click", () => this._fire("closed"));
    const frame = () => ({ video_id: this.moment.video_id, at: Number(this.stage.seconds.toFixed(3)) });
    similar.addEventListener("click", () => this._fire("similar", frame()));
    dissimilar.addEventListener("click", () => this._fire("dissimilar", frame()));
    this._right.addEventListener("click", () => this.mark("yes"));
    this._wrong.addEventListener("click", () => this.mark("no"));
    link.addEventListener("click", () => copyTo(link, location.href));
    this.stage.addEventListener("position", (event) => (this._timeline.position = event.detail));
    this._timeline.addEventListener("seek", (event) => this.stage.seek(event.detail));
    this._why.addEventListener("toggle", () => this._explain());
  }

  get isOpen() {
    return !this.hidden;
  }

  /**
   * Play a moment.
   *
   * @param {any} moment The moment.
   * @param {{question: object, threshold: number|null, moments: any[], number: number, total: number, at?: number|null,
   *   isPlaying?: boolean}} answer The question as JSON, the minimum score, the moments of the answer so far, the
   *   moment's rank, their number, the second to begin at, if it is not that of the moment, and whether it plays at once.
   */
  async play(moment, { question, threshold, moments, number, total, at = null, isPlaying = true }) {
    this.moment = moment;
    const own = (this._playing = {}); // the same moment may be played again while its video is asked for
    this._question = question;
    this._why.hidden = question === null || question.none || moment.score === null;
    this.hidden = false;
    this._problem.textContent = "";
    this._why.open = false;
    this._name.textContent = baseName(moment.uri);
    this._name.title = moment.uri;
    this._clip.href = clipAddress(moment);
    const values = { interval: interval(moment), score: score(moment.score ?? 0), number, total };
    this._where.textContent = text(placeText(moment), values);
    this._enable(this._previous, number > 1, this._next);
    this._enable(this._next, number < total, this._previous);
    this._offerMarks(moment, question).catch((error) => this._showProblem(error));
    const siblings = moments.filter((other) => other.video_id === moment.video_id);
    try {
      const video = this._videos.get(moment.video_id) ?? (await api(`/videos/${encodeURIComponent(moment.video_id)}`));
      this._videos.set(moment.video_id, video);
      if (this._playing !== own) return;
      this._timeline.clear(video.duration_seconds);
      this._timeline.showMoments(siblings.includes(moment) ? siblings : [moment], moment);
      // Of a stretch without it, the nearest frame is shown, so that a person can check it.
      const seconds = at ?? (moment.is_absence ? moment.best_seconds : moment.start_seconds);
      const loop = [moment.start_seconds, moment.end_seconds];
      this.stage.load(video, seconds, { loop, isPlaying: isPlaying && !moment.is_absence });
      this._showLabels(moment).catch((error) => this._showProblem(error));
      if (question === null) return;
      const curve = await this._curve(moment.video_id, question);
      if (this._playing === own) this._timeline.showCurve(curve, threshold);
    } catch (error) {
      this._showProblem(error);
    }
  }

  /** Stop, and hide. */
  close() {
    this.hidden = true;
    this.moment = this._playing = null;
    this.stage.unload();
  }

  focus() {
    this._name.focus({ preventScroll: true });
  }

  /** Mark the moment as right ("yes") or wrong ("no"); the same verdict again takes the mark back. */
  async mark(verdict) {
    if (!this.isOpen || !this._marks.checkVisibility()) return;
    const { moment } = this;
    const wanted = this._verdict === verdict ? null : verdict;
    try {
      await mark(markedPart(moment).id, this._subject, wanted);
      if (this.moment === moment) this._showVerdict(wanted);
    } catch (error) {
      this._showProblem(error);
    }
  }

  async _offerMarks(moment, question) {
    this._showVerdict(null);
    this._marks.hidden = true;
    const kind = moment.is_absence ? "_absent" : "";
    this._marks.setAttribute("aria-label", text(`marks${kind}`));
    this._right.querySelector("span").textContent = text(`mark_right${kind}`);
    this._wrong.querySelector("span").textContent = text(`mark_wrong${kind}`);
    this._subject = null;
    const subject = await subjectOf(question);
    if (this.moment !== moment || subject === null) return;
    this._subject = subject;
    this._marks.hidden = false;
    const verdict = await verdictOf(markedPart(moment), subject);
    if (this.moment === moment && this._verdict === null) this._showVerdict(verdict);
  }

  _showVerdict(verdict) {
    this._verdict = verdict;
    this._right.setAttribute("aria-pressed", String(verdict === "yes"));
    this._wrong.setAttribute("aria-pressed", String(verdict === "no"));
  }

  async _showLabels(moment) {
    const { labels } = await api(`/videos/${encodeURIComponent(moment.video_id)}/labels`);
    // The page of the video has them all; here are those of the moment.
    const own = labels.filter((label) => label.intervals.some((one) => one.start_seconds < moment.end_seconds && moment.start_seconds < one.end_seconds));
    if (this.moment === moment) this._timeline.showLabels(own.slice(0, MOST_LABELS));
  }

  async _curve(videoId, question) {
    const key = JSON.stringify([videoId, question.shows, question.without, question.then]);
    if (!this._curves.has(key)) {
      const { shows, without, then } = question;
      const path = `/videos/${encodeURIComponent(videoId)}/curve`;
      this._curves.set(key, api(path, { json: { shows, without, then } }));
      this._curves.get(key).catch(() => this._curves.delete(key));
    }
    return this._curves.get(key);
  }

  async _explain() {
    const place = this._why.lastElementChild;
    if (!this._why.open || place.dataset.moment === this.moment?.id) return;
    place.replaceChildren(make("p", { class: "quiet" }, text("asking")));
    const moment = this.moment;
    try {
      const { explanation } = await api("/search?explain=true", { json: { ...this._question, videos: [moment.video_id] } });
      if (this.moment !== moment) return;
      const scored = explanation.candidates.filter((candidate) => overlaps(candidate, moment));
      const rows = explanation.terms.map((term) => {
        const best = scored.filter((candidate) => candidate.term === term.term).sort((a, b) => b.score - a.score)[0];
        return make(
          "tr",
          {},
          make("th", { scope: "row" }, term.term),
          make("td", {}, best ? best.cosine.toFixed(3) : "–"),
          make("td", {}, term.level.toFixed(3)),
          make("td", {}, best ? score(best.score) : "–"),
        );
      });
      const head = ["why_term", "why_cosine", "why_level", "why_score"].map((name) => make("th", { scope: "col" }, text(name)));
      place.replaceChildren(
        make("p", {}, text("why_intro", { score: score(moment.score) })),
        make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
      );
      place.dataset.moment = moment.id;
    } catch (error) {
      place.replaceChildren(make("p", {}, error.message));
    }
  }

  /** A control that can do nothing more passes the focus on. */
  _enable(control, isAble, other) {
    if (!isAble && document.activeElement === control) other.focus();
    control.disabled = !isAble;
  }

  _showProblem(error) {
    this._problem.textContent = error.message;
  }

  _fire(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function placeText(moment) {
  if (moment.score === null) return "player_where_linked";
  return moment.is_absence ? "player_where_absent" : "player_where";
}

function overlaps(one, other) {
  return one.video_id === other.video_id && one.start_seconds < other.end_seconds && other.start_seconds < one.end_seconds;
}

customElements.define("moment-player", MomentPlayer);
