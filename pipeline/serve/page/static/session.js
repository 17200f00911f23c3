// Who uses the page, where the server asks for tokens.

import { api } from "./api.js";

// On a small screen the pages' names are in one line, of which a part shows.
document.querySelector(".bar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

const NOBODY = { name: "", role: "search", needs_token: false, can_index: false };

/**
 * Resolves to what this visitor may do: name, role ("search", "review" or "admin"), whether tokens are asked for, and
 * whether videos can be indexed from the page.
 */
export const session = api("/session").catch(() => NOBODY);

session.then((visitor) => {
  // What a visitor may not do is not offered.
  document.body.classList.toggle("is-reader", visitor.role === "search");
  if (!visitor.needs_token) return;
  const form = document.getElementById("log-out");
  form.querySelector("span").textContent = visitor.name;
  form.hidden = false;
});
