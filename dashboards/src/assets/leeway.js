// What makes the pages better than they are without it: the live range refreshes itself, a cross-hair over charts that
// share an axis, keys. Nothing depends on it.
"use strict";
(() => {
  const EVERY_MS = 10000;

  // The range that follows the time: the same page is fetched again and its parts take the place of the old ones. Nothing is
  // touched while somebody writes, selects text or has opened something.
  let last = "";
  const busy = () =>
    document.hidden ||
    document.querySelector("main details[open], main dialog[open], .menu[open]") ||
    (document.activeElement && document.activeElement.matches("input, select, textarea")) ||
    String(getSelection()).length > 0;
  const clock = (late) => document.querySelector("[data-clock]")?.classList.toggle("late", late);

  async function refresh() {
    if (!document.querySelector("main[data-live]") || busy()) return;
    try {
      const answer = await fetch(location.href, { headers: { "x-refresh": "1" }, redirect: "error" });
      if (!answer.ok) return clock(true);
      const text = await answer.text();
      if (busy() || text === last) return clock(false);
      last = text;
      const fresh = new DOMParser().parseFromString(text, "text/html");
      const focused = document.activeElement?.getAttribute("href");
      for (const part of ["main", "header.bar"]) {
        const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
        if (old && now) old.replaceWith(document.adoptNode(now));
      }
      if (focused) document.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
      document.title = fresh.title;
      enhance();
    } catch {
      clock(true);
    }
  }
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());

  // The reader's own time zone, offered beside UTC.
  function zone() {
    const place = document.querySelector("[data-zone]");
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!place || !own || own === "UTC" || place.dataset.zone.split(" ").includes(own)) return;
    const address = new URL(location.href);
    address.searchParams.set("tz", own);
    const link = document.createElement("a");
    link.href = address.href;
    link.textContent = own;
    place.replaceChildren(" ", link);
  }
  // What works only with this script is shown by it.
  function enhance() {
    zone();
    document.querySelectorAll("[data-copy][hidden]").forEach((button) => (button.hidden = false));
  }
  enhance();
  // On a narrow screen a picture of time begins with its end.
  document.querySelectorAll("figure.chart").forEach((chart) => {
    if (chart.querySelector("svg[data-from]")) chart.scrollLeft = chart.scrollWidth;
  });

  // One cross-hair over all charts that share their time axis.
  const charts = () => [...document.querySelectorAll("svg[data-from]")];
  const sees = (svg) => ({ left: +svg.dataset.left, right: +svg.dataset.right, from: +svg.dataset.from, to: +svg.dataset.to });
  const lift = () => document.querySelectorAll(".cross.on").forEach((line) => line.classList.remove("on"));
  document.addEventListener("pointermove", (event) => {
    const svg = event.target.closest?.("svg[data-from]");
    if (!svg) return lift();
    const box = svg.getBoundingClientRect();
    const here = sees(svg);
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const at = here.from + ((x - here.left) / (here.right - here.left)) * (here.to - here.from);
    if (x < here.left || x > here.right) return lift();
    for (const other of charts()) {
      const line = other.querySelector(".cross");
      const there = sees(other);
      const place = there.left + ((at - there.from) / (there.to - there.from)) * (there.right - there.left);
      const inside = at >= there.from && at <= there.to;
      line?.classList.toggle("on", inside);
      if (inside) ["x1", "x2"].forEach((end) => line?.setAttribute(end, place.toFixed(1)));
    }
  });

  // Choosing from a list shows the choice at once.
  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) navigator.clipboard?.writeText(document.querySelector(copy.dataset.copy)?.textContent ?? "");
    document.querySelectorAll(".menu[open]").forEach((menu) => menu.contains(event.target) || menu.removeAttribute("open"));
  });

  // Keys: / search, j k next and previous row, g o overview, a acknowledge.
  let before = "";
  const step = (by) => {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    (row.matches("a") ? row : row.querySelector("a"))?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelectorAll(".menu[open]").forEach((menu) => menu.removeAttribute("open"));
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const keys = {
      "/": () => document.querySelector("input[type=search]")?.focus(),
      j: () => step(1),
      k: () => step(-1),
      a: () => document.querySelector("[data-key=a]")?.focus(),
      o: () => before === "g" && (location.href = document.querySelector(".logo").href),
    };
    if (keys[event.key]) {
      keys[event.key]();
      if (event.key === "/") event.preventDefault();
    }
    before = event.key;
  });
})();
