// A picture or a clip to search by: dropped anywhere, pasted, or chosen.

import { api } from "../api.js";
import { text } from "../strings.js";

const MOST_BYTES = 64 * 2 ** 20;
/** What the server takes; a drawing (SVG) is no picture. */
const KIND = /^(image\/(?!svg)|video\/)/;

const previews = new Map();

/** Address of a picture that was sent from this page; undefined for another one. */
export function previewOf(id) {
  return previews.get(id);
}

/**
 * Fires `picture` with a term of a question as its detail.
 */
export class PictureDrop extends HTMLElement {
  connectedCallback() {
    this._message = this.querySelector("p");
    this._input = this.querySelector("input");
    this.querySelector("button").addEventListener("click", () => this._input.click());
    this._input.addEventListener("change", () => {
      if (this._input.files.length) this._take(this._input.files[0]);
      this._input.value = "";
    });
    let depth = 0;
    const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    addEventListener("dragenter", (event) => {
      if (!hasFile(event)) return;
      depth += 1;
      document.body.classList.add("is-dropping");
    });
    addEventListener("dragleave", (event) => {
      if (!hasFile(event)) return;
      depth = Math.max(0, depth - 1);
      if (!depth) document.body.classList.remove("is-dropping");
    });
    addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      depth = 0;
      document.body.classList.remove("is-dropping");
      this._take(event.dataTransfer.files[0]);
    });
    addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((one) => KIND.test(one.type));
      if (!file) return;
      event.preventDefault();
      this._take(file);
    });
  }

  async _take(file) {
    if (!KIND.test(file.type)) return this._say(text("picture_kind"));
    if (file.size > MOST_BYTES) return this._say(text("picture_size", { mebibytes: MOST_BYTES / 2 ** 20 }));
    this._say(text("picture_sending"));
    try {
      const { id, kind } = await api("/uploads", { body: file, type: file.type });
      this._say("");
      if (kind === "image") previews.set(id, URL.createObjectURL(file));
      this.dispatchEvent(new CustomEvent("picture", { detail: { [kind]: id } }));
    } catch (error) {
      this._say(error.message);
    }
    return undefined;
  }

  _say(message) {
    this._message.textContent = message;
  }
}

customElements.define("picture-drop", PictureDrop);
