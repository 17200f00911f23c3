// A moment among the answers: its best frame, where it is, its score; the pointer scrubs through it.

import { frameAddress, spriteAddress } from "../api.js";
import { make, replaceMissing } from "../dom.js";
import { baseName, interval, score, timecode } from "../format.js";
import { counted, text } from "../strings.js";

const PICTURE_WIDTH = 480;
const TILES = 20;
const HOVER_MILLISECONDS = 60;
const RETRY_MILLISECONDS = 1500;

export class MomentCard extends HTMLElement {
  /**
   * Show a moment.
   *
   * @param {any} moment A moment of an answer.
   * @param {{address: string, isBelow?: boolean, isFirst?: boolean}} options Where its link leads; whether its score
   *   is below the minimum; whether its picture is needed at once.
   */
  show(moment, { address, isBelow = false, isFirst = false }) {
    this.moment = moment;
    this._position = null;
    this._triesLeft = 2;
    this.classList.toggle("is-below", isBelow);
    const name = baseName(moment.uri);
    const shown = score(moment.score);
    const values = { name, interval: interval(moment), score: shown };
    this._picture = make("img", {
      class: "card-picture",
      src: frameAddress(moment.video_id, moment.best_seconds, PICTURE_WIDTH),
      alt: "",
      width: 16,
      height: 9,
      loading: isFirst ? "eager" : "lazy",
      decoding: "async",
      fetchpriority: "low",
    });
    this._picture.addEventListener("error", () => this._retry(), { once: true });
    this._stage = make(
      "span",
      { class: "card-stage" },
      this._picture,
      make("span", { class: "card-time" }, interval(moment)),
    );
    this._meter = make("span", { class: "score-meter", "aria-hidden": "true" }, make("span"));
    this._meter.firstChild.style.inlineSize = `${100 * moment.score}%`;
    const more = [
      moment.recorded_at ? moment.recorded_at.replace("T", " ").slice(0, 16) : null,
      moment.copies?.length ? counted("copies", moment.copies.length) : null,
      moment.steps?.length > 1 ? counted("steps", moment.steps.length) : null,
      moment.is_gone ? text("gone") : null,
    ].filter(Boolean);
    this.link = make(
      "a",
      { class: "card", href: address, "aria-label": text(isBelow ? "card_below_label" : "card_label", values) },
      this._stage,
      make(
        "span",
        { class: "card-text" },
        make("span", { class: "card-name", title: moment.uri }, name),
        make("span", { class: "card-score", title: text("score_title", { score: shown }) }, this._meter, shown),
        more.length ? make("span", { class: "card-more" }, more.join(" · ")) : null,
      ),
    );
    this._box = make("input", { type: "checkbox", "aria-label": text("select", values) });
    this._box.addEventListener("change", () => this._tellSelected());
    this.replaceChildren(this.link, make("label", { class: "card-select" }, this._box));
    this._listen();
  }

  /** Whether the moment is selected. Fires `selected`, which bubbles, when a person changes it. */
  get isSelected() {
    return this._box.checked;
  }

  set isSelected(value) {
    this._box.checked = value;
    this.classList.toggle("is-selected", value);
  }

  /** Select it, or do not select it any more. */
  toggle() {
    this._box.checked = !this._box.checked;
    this._tellSelected();
  }

  /** Let go of a picture that has not come yet, so that its connection is free. */
  cancel() {
    if (!this._picture.complete) this._picture.removeAttribute("src");
  }

  /** Ask for its picture again after `cancel`. */
  resume() {
    if (!this._picture.hasAttribute("src")) this._picture.src = frameAddress(this.moment.video_id, this.moment.best_seconds, PICTURE_WIDTH);
  }

  _tellSelected() {
    this.classList.toggle("is-selected", this._box.checked);
    this.dispatchEvent(new CustomEvent("selected", { bubbles: true }));
  }

  set isCurrent(value) {
    this.classList.toggle("is-current", value);
    if (value) this.link.setAttribute("aria-current", "true");
    else this.link.removeAttribute("aria-current");
  }

  _retry() {
    setTimeout(() => {
      if (!this.isConnected || !this._picture.src) return;
      this._picture.addEventListener("error", () => replaceMissing(this._picture), { once: true });
      const address = new URL(this._picture.src);
      address.searchParams.set("try", "2");
      this._picture.src = address.pathname + address.search;
    }, RETRY_MILLISECONDS);
  }

  _listen() {
    const stage = this._stage;
    let timer = 0;
    stage.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") return;
      timer ||= setTimeout(() => this._loadSprite(), HOVER_MILLISECONDS);
      const box = stage.getBoundingClientRect();
      this._scrub(Math.min(0.9999, Math.max(0, (event.clientX - box.left) / box.width)));
    });
    stage.addEventListener("pointerleave", () => {
      clearTimeout(timer);
      timer = 0;
      this._position = null;
      this._drawScrub();
    });
  }

  _loadSprite() {
    if (this._sprite) return;
    const { video_id: id, start_seconds: start, end_seconds: end } = this.moment;
    const sheet = make("span", { class: "card-sheet" });
    this._sprite = new Image();
    this._sprite.addEventListener("load", () => {
      this._isLoaded = true;
      this._drawScrub();
    });
    this._sprite.addEventListener("error", () => {
      for (const part of [sheet, this._line, this._at]) part.remove();
      this._sprite = this._sheet = null;
      // A busy server refuses; who still points at the moment is shown it later.
      if (this._triesLeft-- > 0) setTimeout(() => this._position !== null && this._loadSprite(), RETRY_MILLISECONDS);
    });
    this._sprite.src = spriteAddress(id, { tiles: TILES, width: 320, start, end });
    sheet.style.backgroundImage = `url("${this._sprite.src}")`;
    this._sheet = sheet;
    this._line = make("span", { class: "card-line" });
    this._at = make("span", { class: "card-at" });
    this._stage.append(sheet, this._line, this._at);
    this._drawScrub();
  }

  _scrub(position) {
    this._position = position;
    this._drawScrub();
  }

  _drawScrub() {
    if (!this._sheet) return;
    const isShown = this._position !== null;
    this._stage.classList.toggle("is-scrubbed", isShown && Boolean(this._isLoaded));
    if (!isShown || !this._isLoaded) return;
    const columns = Math.min(TILES, 10);
    const rows = Math.ceil(TILES / 10);
    const tile = Math.floor(this._position * TILES);
    const { naturalWidth, naturalHeight } = this._sprite;
    // The tile keeps its shape inside the card's, as the picture does; shares hold when the card changes its size.
    const shape = (naturalWidth / columns / (naturalHeight / rows)) / (16 / 9);
    const [width, height] = [Math.min(1, shape), Math.min(1, 1 / shape)];
    const share = (at, count) => (count > 1 ? (100 * at) / (count - 1) : 0);
    Object.assign(this._sheet.style, {
      inlineSize: `${100 * width}%`,
      blockSize: `${100 * height}%`,
      insetInlineStart: `${50 * (1 - width)}%`,
      insetBlockStart: `${50 * (1 - height)}%`,
      backgroundSize: `${100 * columns}% ${100 * rows}%`,
      backgroundPosition: `${share(tile % 10, columns)}% ${share(Math.floor(tile / 10), rows)}%`,
    });
    const { start_seconds: start, end_seconds: end } = this.moment;
    this._line.style.insetInlineStart = `${100 * this._position}%`;
    this._at.textContent = timecode(start + this._position * (end - start));
  }
}

customElements.define("moment-card", MomentCard);
