// Keeps the page fresh. What changes is made by the server, as it was at first: this only puts it in its place.
"use strict";
(() => {
  const QUIET_MS = 150;
  const AT_LEAST_MS = 10000;
  const live = document.querySelector("[data-live]");
  if (!live || !window.EventSource) return;
  const said = document.getElementById("said");
  let timer = 0;
  let running = false;
  let again = false;
  let isAway = false;

  async function refresh() {
    if (running) { again = true; return; }
    running = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      const focused = document.activeElement && live.contains(document.activeElement) ? document.activeElement.id : "";
      const scrolled = document.getElementById("table")?.scrollLeft ?? 0;
      if (fresh) live.replaceChildren(...fresh.childNodes);
      document.getElementById("table")?.scrollTo(scrolled, 0);
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      const time = page.getElementById("fresh");
      if (time) document.getElementById("fresh")?.replaceChildren(...time.childNodes);
      if (isAway) said.textContent = "The service answers again.";
      isAway = false;
    } catch (error) {
      isAway = true;
      said.textContent = "The service does not answer: this is not up to date.";
    } finally {
      running = false;
      if (again) { again = false; soon(); }
    }
  }

  function soon() {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; refresh(); }, QUIET_MS);
  }

  const events = new EventSource("/api/fed/watch");
  events.addEventListener("status", (event) => {
    const change = JSON.parse(event.data);
    said.textContent = `${change.slug} is ${change.status || "removed"}`;
    soon();
  });
  events.addEventListener("reset", soon);
  events.addEventListener("open", soon);
  setInterval(refresh, AT_LEAST_MS);
})();
