// The little that pages need of a script: live news, keys, charts, the theme. They read and work without it.
(() => {
  "use strict";
  const MOMENT_MS = 500;
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // -- live: what changed is told by the server; the living part of the page is fetched anew, at most twice a second
  let due = null, last = 0;
  const busy = () => {
    const at = document.activeElement, live = $("#live");
    return document.hidden || $("dialog[open]") || (live && live.contains(at) && at.matches("input, textarea, select"));
  };
  const refresh = () => {
    due = null;
    if (busy()) { due = setTimeout(refresh, MOMENT_MS); return; }
    last = Date.now();
    document.body.dispatchEvent(new CustomEvent("lictor:changed", { bubbles: true }));
  };
  const changed = () => { if (due === null && $("#live")) due = setTimeout(refresh, Math.max(50, MOMENT_MS - (Date.now() - last))); };
  const listen = () => {
    const mark = $("[data-live]"), events = new EventSource("/v1/events");
    const say = (state, text) => { if (mark) { mark.dataset.state = state; mark.textContent = text; } };
    events.addEventListener("open", () => say("on", "live"));
    events.addEventListener("error", () => say("off", "not connected"));
    for (const name of ["hello", "decisions", "notes"]) events.addEventListener(name, changed);
    window.addEventListener("pagehide", () => events.close());
  };
  setInterval(() => {
    const every = Number($("#live")?.dataset.every || 0);
    if (every && Date.now() - last >= every * 1000) changed();
  }, 250);

  // -- keys
  let after = "";
  const rows = () => all("[data-row]");
  let at = "";
  const mark = () => { for (const row of rows()) row.classList.toggle("on", row.id === at && at !== ""); };
  const move = (by) => {
    const found = rows();
    if (!found.length) return;
    const place = found.findIndex((row) => row.id === at);
    const next = found[Math.min(found.length - 1, Math.max(0, place < 0 ? 0 : place + by))];
    at = next.id;
    mark();
    next.scrollIntoView({ block: "nearest" });
    if (next.matches("article")) next.focus({ preventScroll: true });
  };
  const current = () => (at ? document.getElementById(at) : null);
  const press = (selector) => { (current() ? $(selector, current()) : all(selector).length === 1 ? $(selector) : null)?.focus(); };
  const KEYS = {
    "/": () => { const box = $("[data-search]"); if (box) { box.focus(); box.select(); } else location.href = "/decisions#q"; },
    j: () => move(1), k: () => move(-1),
    a: () => press("[data-approve]"), r: () => press("[data-refuse]"),
    "?": () => $("#help")?.showModal(),
    Enter: () => { const link = current() && $("a", current()); if (link) location.href = link.href; },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    if (event.target.matches("input, textarea, select")) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.key === "Enter" && event.target.matches("a, button, summary")) return;
    if (after === "g") {
      after = "";
      const to = event.key === "h" ? "/halt" : $(`.side a[data-key="${CSS.escape(event.key)}"]`)?.getAttribute("href");
      if (to) { event.preventDefault(); location.href = to; }
      return;
    }
    if (event.key === "g") { after = "g"; setTimeout(() => { after = ""; }, 1200); return; }
    const act = KEYS[event.key];
    if (act) { if (event.key !== "Enter" || current()) event.preventDefault(); act(); }
  });

  // -- theme
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const turn = () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `lictor_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Strict`;
    draw(true);
  };

  // -- charts
  const plots = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = (more) => ({ stroke: colour("soft"), grid: { stroke: colour("rule"), width: 1 }, ticks: { stroke: colour("rule"), width: 1 }, font: "12px system-ui", ...more });
  const line = (label, name, more) => ({ label, stroke: colour(name), width: 2, points: { show: false }, ...more });
  const percent = (_u, values) => values.map((value) => `${Math.round(value * 100)} %`);
  const KINDS = {
    flow: ({ history: h }) => [
      { axes: [axis(), axis({ size: 48 })], series: [{}, line("admitted", "note"), line("refused", "bad", { dash: [6, 4] }), line("succeeded", "good"), line("failed", "wait", { dash: [2, 3] })] },
      [h.at_s, h.admitted, h.refused, h.succeeded, h.failed]],
    curve: ({ x, y, good }) => [
      { scales: { x: { time: false, distr: 3, log: 2 }, y: { range: [0, 1.02] } }, axes: [axis({ label: "load, in capacities", labelSize: 22, labelFont: "12px system-ui", values: (_u, v) => v.map((n) => (n === null ? "" : n)) }), axis({ values: percent, size: 54 })],
        series: [{ label: "load" }, line("quality", "note", { points: { show: true, size: 7 } }), line("good", "soft", { dash: [4, 4], width: 1 })] },
      [x, y, x.map(() => good)]],
    calibration: ({ buckets }) => [
      { scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1.02] } }, axes: [axis({ values: percent, label: "stated", labelSize: 20, labelFont: "12px system-ui" }), axis({ values: percent, size: 54 })],
        series: [{ label: "stated" }, line("came true", "note", { points: { show: true, size: 8 } }), line("perfect", "soft", { dash: [4, 4], width: 1 })] },
      [buckets.map((b) => b.stated), buckets.map((b) => b.came), buckets.map((b) => b.stated)]],
  };
  function draw(anew) {
    for (const [id, found] of plots) if (!document.contains(found.box) || anew) { found.plot.destroy(); plots.delete(id); }
    for (const box of all("[data-chart]")) {
      const given = box.dataset.chart, known = plots.get(box.id);
      if (known && known.given === given) continue;
      const data = JSON.parse(given), [options, columns] = KINDS[data.kind](data);
      if (!columns[0].length) { if (!known) box.classList.add("waiting"); continue; }
      if (known) { known.plot.setData(columns); known.given = given; continue; }
      const width = Math.max(240, box.clientWidth), height = Math.min(240, Math.max(180, width * 0.45));
      box.textContent = "";
      const plot = new uPlot({ width, height, legend: { live: false }, cursor: { show: false }, ...options }, columns, box);
      plots.set(box.id, { plot, box, given });
    }
  }
  let resized = null;
  window.addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => draw(true), 150); });

  // -- begin
  document.addEventListener("htmx:after:settle", () => { mark(); draw(false); });
  document.addEventListener("htmx:after:swap", () => { mark(); draw(false); });
  $("[data-theme-switch]")?.addEventListener("click", turn);
  $("[data-help]")?.addEventListener("click", () => $("#help")?.showModal());
  if (location.hash === "#q") $("[data-search]")?.focus();
  const here = $(".side a[aria-current]");
  if (here && here.parentElement.scrollWidth > here.parentElement.clientWidth) here.parentElement.scrollLeft = here.offsetLeft - 40;
  draw(false);
  listen();
})();
