// The list of keys.

export class HelpDialog extends HTMLElement {
  connectedCallback() {
    this._dialog = this.querySelector("dialog");
    document.addEventListener("click", (event) => {
      if (event.target.closest?.("[data-help]")) this.open();
    });
    this._dialog.addEventListener("click", (event) => {
      if (event.target === this._dialog || event.target.closest("[data-close]")) this._dialog.close();
    });
  }

  open() {
    this._dialog.showModal();
  }
}

customElements.define("help-dialog", HelpDialog);
