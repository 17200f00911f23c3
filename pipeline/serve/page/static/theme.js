// Light or dark, as chosen before; loaded before the page is drawn, so that it never flashes. Not a module for that reason.
(() => {
  "use strict";
  const KEY = "momentseek-theme";
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be forbidden
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  apply(stored());

  const system = matchMedia("(prefers-color-scheme: dark)");
  const announce = () => document.dispatchEvent(new CustomEvent("themechange"));
  system.addEventListener("change", announce);

  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    apply(event.newValue);
    announce();
  });

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest("[data-theme-switch]")) return;
    const isDark = (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    const theme = isDark ? "light" : "dark";
    apply(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It then lasts as long as the page.
    }
    announce();
  });
})();
