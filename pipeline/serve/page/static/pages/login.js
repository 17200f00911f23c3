// A link from another site arrives without the cookie of the session; whoever has one need not log in again.

const answer = await fetch("/api/v1/session", { credentials: "same-origin" });
// The server has made sure that this is a place of its own.
if (answer.ok) location.replace(document.querySelector("[name=next]").value);
else document.body.classList.add("is-ready");
