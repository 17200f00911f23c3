// A video with its controls; it seeks to a frame exactly.

import { api, frameAddress, mediaAddress, partAddress } from "../api.js";
import { button, make } from "../dom.js";
import { timecode } from "../format.js";
import { text } from "../strings.js";

/** Frame rate where a container states none. */
const USUAL_RATE = 25;
/** A browser shows the frame whose time is at or before the one asked for, and rounds times to microseconds. */
const LATER_SECONDS = 0.001;
/** Part of a frame's usual length that a search for the next frame goes on at a time, and how often it does. */
const STEP_SHARE = 0.6;
const MOST_TRIES = 40;
/** How long a step waits for its frame to show; a busy machine is slow to show it. */
const FRAME_MILLISECONDS = 1000;
/** Of a video that can only be played in parts: how much of it, before and after the place that is wanted. */
const PART_BEFORE_SECONDS = 15;
const PART_AFTER_SECONDS = 45;
const PATIENCE_MILLISECONDS = 1200;
const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];

/**
 * Fires `position` with the seconds as its detail whenever another frame shows.
 */
export class VideoStage extends HTMLElement {
  connectedCallback() {
    if (this.video) return;
    this._rate = USUAL_RATE;
    this._part = null;
    this.video = make("video", { playsinline: true, preload: "auto", "aria-label": text("video") });
    this._problem = make("p", { class: "stage-problem", role: "alert", hidden: true });
    this._play = button(text("play"), { name: "play", isQuiet: true, keys: "Space" });
    this._sound = button(text("mute"), { name: "sound", isQuiet: true, keys: "M", pressed: false });
    this._again = button(text("loop"), { name: "loop", isQuiet: true, keys: "L", pressed: false });
    this._full = button(text("full_screen"), { name: "full", isQuiet: true, keys: "F" });
    this._time = make("span", { class: "stage-time" });
    this._speed = make("select", { "aria-label": text("speed"), class: "stage-speed" });
    for (const speed of SPEEDS) this._speed.append(make("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    this.append(
      make("div", { class: "stage-picture" }, this.video, this._problem),
      make("div", { class: "stage-controls" }, this._play, this._sound, this._time, this._speed, this._again, this._full),
    );
    this._listen();
  }

  /**
   * Load a video and go to a time in it.
   *
   * @param {{video_id: string, duration_seconds: number, frames_per_second?: number|null}} video
   * @param {number} seconds Where it starts.
   * @param {{isPlaying?: boolean, loop?: [number, number]|null}} [options] Whether it plays; the part that `loop` repeats.
   */
  load(video, seconds, { isPlaying = true, loop = null } = {}) {
    this._range = loop;
    this._again.hidden = loop === null;
    this._rate = video.frames_per_second || USUAL_RATE;
    this._duration = video.duration_seconds;
    this._tell(null);
    this._wanted = seconds;
    if (this._loaded !== video.video_id || this.video.error) {
      this._loaded = video.video_id;
      this._openWhole(seconds);
    } else this.seek(seconds);
    if (isPlaying) this._start();
    else this.video.pause();
  }

  /** Play; without sound where the browser allows sound only after a key or a click, until there was one. */
  async _start() {
    if (this._isHushed && navigator.userActivation?.hasBeenActive) this.video.muted = this._isHushed = false;
    try {
      await this.video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || this.video.muted) return;
      this.video.muted = this._isHushed = true;
      this.video.play().catch(() => {});
    }
  }

  /** Stop and let go of the video. */
  unload() {
    this._loaded = null;
    this._part = null;
    clearTimeout(this._patience);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.removeAttribute("poster");
    this.video.load();
  }

  /** Show the frame at a time. */
  seek(seconds) {
    const wanted = Math.min(Math.max(0, (this._duration ?? seconds) - LATER_SECONDS), Math.max(0, seconds));
    this._wanted = wanted; // before the video has come, too
    if (this._part && (wanted < this._part[0] || wanted >= this._part[1])) this._openPart(wanted);
    else this.video.currentTime = Math.max(0, wanted - this._offset) + LATER_SECONDS;
    this._announce(wanted - this._offset);
  }

  /** Go some seconds on or back. */
  move(seconds) {
    this.seek(this.seconds + seconds);
  }

  /** Pause, and show the next frame (1) or the previous one (-1), whatever the rate is there. */
  async step(direction) {
    this.video.pause();
    if (this._isStepping) return;
    this._isStepping = true;
    try {
      const shown = this._mediaTime ?? this.video.currentTime;
      if (direction < 0) await this._show(shown - LATER_SECONDS);
      for (let tries = 1; direction > 0 && tries <= MOST_TRIES; tries += 1) {
        await this._show(shown + (STEP_SHARE * tries) / this._rate);
        if ((this._mediaTime ?? Infinity) > shown || this.video.ended) break;
      }
    } finally {
      this._isStepping = false;
    }
  }

  /** Seek, and wait until the frame shows. */
  async _show(seconds) {
    const { video } = this;
    const wanted = Math.min(video.duration, Math.max(0, seconds));
    // No frame is told of where the time stays the same. Any other may show before the seek is said to have ended.
    const isSame = Math.abs(wanted - video.currentTime) < 1e-6;
    const shown = isSame ? Promise.resolve() : new Promise((resolve) => video.requestVideoFrameCallback?.(resolve));
    const seeked = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    video.currentTime = wanted;
    await seeked;
    await Promise.race([shown, new Promise((resolve) => setTimeout(resolve, FRAME_MILLISECONDS))]);
  }

  /** The time in the video. */
  get seconds() {
    return this.video.currentTime + this._offset;
  }

  /** Where time 0 of what is played lies in the video. */
  get _offset() {
    return this._part?.[0] ?? 0;
  }

  _openWhole(seconds) {
    this._part = null;
    this._wanted = seconds;
    this.video.poster = frameAddress(this._loaded, seconds, 1280);
    this._open(`${mediaAddress(this._loaded)}#t=${(seconds + LATER_SECONDS).toFixed(3)}`);
  }

  _open(address) {
    this.video.src = address;
    clearTimeout(this._patience);
    this._patience = setTimeout(() => this._tell(text("preparing")), PATIENCE_MILLISECONDS);
  }

  _openPart(seconds) {
    const isPlaying = !this.video.paused;
    this._wanted = seconds;
    this._part = [Math.max(0, seconds - PART_BEFORE_SECONDS), Math.min(this._duration, seconds + PART_AFTER_SECONDS)];
    this._open(partAddress(this._loaded, ...this._part));
    if (isPlaying) this.video.play().catch(() => {});
  }

  _tell(message) {
    this._problem.textContent = message ?? "";
    this._problem.hidden = !message;
  }

  /** Play or pause; a video that could not be loaded, as when the server was away, is loaded again. */
  toggle() {
    if (this.video.error && this._loaded) {
      this._tell(null);
      this._openWhole(this.seconds || this._wanted);
      this._start();
    } else if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  toggleSound() {
    this.video.muted = !this.video.muted;
  }

  toggleLoop() {
    const isOn = this._again.getAttribute("aria-pressed") !== "true";
    this._again.setAttribute("aria-pressed", String(isOn));
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.requestFullscreen?.();
  }

  _listen() {
    const { video } = this;
    this._play.addEventListener("click", () => this.toggle());
    this._sound.addEventListener("click", () => this.toggleSound());
    this._again.addEventListener("click", () => this.toggleLoop());
    this._full.addEventListener("click", () => this.toggleFullScreen());
    this._speed.addEventListener("change", () => (video.playbackRate = Number(this._speed.value)));
    video.addEventListener("click", () => this.toggle());
    for (const kind of ["play", "pause"]) {
      video.addEventListener(kind, () => {
        this._play.querySelector("use").setAttribute("href", this._iconAddress(video.paused ? "play" : "pause"));
        this._play.title = this._play.querySelector("span").textContent = text(video.paused ? "play" : "pause");
      });
    }
    video.addEventListener("volumechange", () => {
      this._sound.setAttribute("aria-pressed", String(video.muted));
      this._sound.querySelector("use").setAttribute("href", this._iconAddress(video.muted ? "silent" : "sound"));
    });
    video.addEventListener("loadedmetadata", () => {
      video.playbackRate = Number(this._speed.value);
      // A fragment is a hint; the time is set exactly where it was not followed.
      if (Math.abs(this.seconds - this._wanted - LATER_SECONDS) > 0.0005) this.seek(this._wanted);
      clearTimeout(this._patience);
      this._tell(null);
    });
    video.addEventListener("error", () => this._explain());
    for (const kind of ["timeupdate", "seeking", "seeked"]) video.addEventListener(kind, () => this._announce(video.currentTime));
    const watch = (_now, frame) => {
      this._mediaTime = frame.mediaTime;
      this._announce(frame.mediaTime);
      video.requestVideoFrameCallback(watch);
    };
    video.requestVideoFrameCallback?.(watch);
  }

  _iconAddress(name) {
    return new URL(`../icons.svg#${name}`, import.meta.url).href.replace(location.origin, "");
  }

  /** Tell the time; `elapsed` is that of the element, whose time 0 need not be the video's. */
  _announce(elapsed) {
    const seconds = elapsed + this._offset;
    const isLooped = this._again.getAttribute("aria-pressed") === "true" && this._range;
    if (isLooped && !this.video.paused && !this.video.seeking && seconds >= this._range[1]) this.seek(this._range[0]);
    this._time.textContent = `${timecode(seconds, { decimals: 2 })} / ${timecode(this._duration ?? 0, { decimals: 0 })}`;
    this.dispatchEvent(new CustomEvent("position", { detail: seconds }));
  }

  /** Play a part where a video cannot be played whole, and say what is wrong with any other. */
  async _explain() {
    clearTimeout(this._patience);
    const id = this._loaded;
    if (!id) return;
    this._tell(text("cannot_play"));
    try {
      const playback = await api(`/videos/${encodeURIComponent(id)}/playback`);
      if (playback.needs_part && this._part === null && this._loaded === id) {
        this._openPart(this._wanted);
        this.video.play().catch(() => {});
        return;
      }
      const answer = await fetch(this._part ? this.video.src : mediaAddress(id), { headers: { Range: "bytes=0-1" } });
      if (!answer.ok) this._tell((await answer.json()).detail);
    } catch (error) {
      this._tell(error.message);
    }
  }
}

customElements.define("video-stage", VideoStage);
