// Section "Copy quality": one bar a day, and for the days that are chosen where the gap went and how fills were copied.

import { $, h, table, unknown } from "./dom.js";
import { count, money, percent } from "./format.js";
import { botLog } from "./botlog.js";
import { withPlotly } from "./chart.js";
import { distribution, drawBars, figures, funnel } from "./copies.js";
import { get } from "./net.js";
import { classTable, DIMENSIONS, radar } from "./radar.js";
import { waterfall } from "./waterfall.js";
import { whatIfForm } from "./whatif.js";

const DAYS = ["1", "7", "30"];
const known = (value, write, reason) => (value === null ? unknown(reason ?? "no reason is recorded", { brief: true }) : write(value));
const usd = (value) => h("span", { class: value > 0.005 ? "mood-good" : value < -0.005 ? "mood-bad" : null }, money(value, { signed: true }));
const classes = { dimension: "price", sort: "value", order: "asc", q: "" };
const drawn = {}; // part of the section -> what it shows, as text: an answer that is the same is not drawn again
let chosen = { days: "7", until: null }; // until null: the newest day
let rows = null;
let copying = null;
let asked = 0;
let report = () => {};

/** Read the days from the address; `failed` is told what goes wrong when something is pressed. */
export function startQuality(failed) {
  report = failed;
  readAddress();
  window.addEventListener("popstate", () => { readAddress(); again(); });
  $("quality-days").replaceChildren(...DAYS.map((days) => h("button", { type: "button", dataset: { days }, onclick: () => choose({ days }) }, days === "1" ? "1 day" : `${days} days`)));
  $("quality-until").addEventListener("change", (event) => choose({ until: event.target.value || null }));
  let width = 0;
  new ResizeObserver(([entry]) => { if (entry.contentRect.width !== width) { width = entry.contentRect.width; drawQuality(); } }).observe($("quality-body"));
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  const until = query.get("until");
  chosen = { days: DAYS.includes(query.get("days")) ? query.get("days") : "7", until: /^\d{4}-\d\d-\d\d$/.test(until ?? "") ? until : null };
}

function choose(change) {
  Object.assign(chosen, change);
  const query = new URLSearchParams(location.search);
  query.set("days", chosen.days);
  if (chosen.until) query.set("until", chosen.until); else query.delete("until");
  history.pushState(null, "", `?${query}${location.hash}`);
  again();
}

function again() { loadQuality().catch(report); }

/** Ask for everything of the section and draw what changed. An answer that is overtaken by a later question is dropped. */
export async function loadQuality() {
  const mine = ++asked;
  mark();
  const { days, until } = chosen;
  const questions = {
    daily: get("/api/quality", { window: 1, days: 60 }), week: get("/api/quality", { window: 7, days: 1 }), month: get("/api/quality", { window: 30, days: 1 }),
    copying: get("/api/quality/copying", { days, until }), classes: get("/api/quality/breakdowns", { days, until, ...classParameters() }), log: get("/api/quality/log", { days }),
  };
  const found = Object.fromEntries(await Promise.all(Object.entries(questions).map(async ([name, answer]) => [name, await answer])));
  if (mine !== asked) return;
  $("quality").classList.remove("loading");
  if (!$("quality-log")) $("quality-body").replaceChildren(h("div", { id: "quality-days-body" }), h("div", { id: "quality-log", class: "panel" }));
  update("log", found.log, drawLog);
  const { reason } = found.copying;
  if (reason !== null) {
    copying = rows = null;
    update("days", reason, () => $("quality-days-body").replaceChildren(h("p", { class: "panel empty" }, `${reason[0].toUpperCase()}${reason.slice(1)}.`)));
    return;
  }
  if (!$("quality-copying")) { for (const part of ["daily", "copying", "classes", "days"]) delete drawn[part]; $("quality-days-body").replaceChildren(...frame()); }
  copying = found.copying;
  update("daily", [found.daily.rows, found.week.rows, found.month.rows], drawDaily);
  update("copying", copying, drawCopying);
  update("classes", found.classes, drawClasses);
}

function update(part, answer, draw) {
  const text = JSON.stringify(answer);
  if (drawn[part] === text) return;
  draw(answer);
  drawn[part] = text;
}

function mark() {
  for (const button of $("quality-days").children) button.setAttribute("aria-pressed", String(button.dataset.days === chosen.days));
}

const csvOf = (what, parameters) => `/api/export.csv?${new URLSearchParams({ what, ...parameters })}`;

function panel(id, title, { csv, wide = false } = {}) {
  return h("div", { class: `panel part${wide ? " wide" : ""}`, id: `part-${id}` },
    h("header", {}, h("h3", {}, title), csv === undefined ? null : h("div", { class: "actions" }, h("a", { class: "button", dataset: { csv }, download: "" }, "CSV"))),
    h("div", { class: "content", id: `${id}-content` }));
}

function frame() {
  return [
    h("div", { id: "quality-daily" }),
    h("div", { id: "quality-notices" }),
    h("div", { class: "facts", id: "quality-copying" }),
    h("div", { class: "actions" }, h("a", { class: "button", dataset: { csv: "metrics" }, download: "" }, "CSV of these numbers")),
    h("div", { class: "two" }, panel("waterfall", "Where the gap went", { csv: "waterfall" }), panel("funnel", "What became of the whale's fills", { csv: "funnel" })),
    h("div", { class: "two" }, panel("slippage", "Slippage", { csv: "slippage" }), panel("latency", "Latency", { csv: "latency" })),
    h("div", { class: "two", id: "quality-windows" }),
    panel("exits", "Orphan radar: what the whale has sold and you still held", { csv: "exits", wide: true }),
    panel("classes", "By class", { wide: true }),
    panel("whatif", "What if", { wide: true }),
  ];
}

function drawCopying(data) {
  $("quality-sub").textContent = data.first === data.until ? `${data.until}, UTC` : `${data.first} to ${data.until}, UTC days`;
  const input = $("quality-until");
  Object.assign(input, { min: data.oldest, max: data.newest });
  if (document.activeElement !== input) input.value = data.until;
  $("quality-notices").replaceChildren(...[data.stale ? `Stale: ${data.stale}` : null, data.warning].filter(Boolean).map((text) => h("p", { class: "notice warn" }, text)));
  $("quality-copying").replaceChildren(...figures(data));
  $("waterfall-content").replaceChildren(...waterfall(data.attribution).filter(Boolean));
  $("funnel-content").replaceChildren(...funnel(data.funnel));
  for (const kind of ["slippage", "latency"]) $(`${kind}-content`).replaceChildren(...distribution(kind, data[kind], data.metrics));
  $("exits-content").replaceChildren(...radar(data.exits));
  whatIfForm($("whatif-content"), data);
  for (const link of $("quality-days-body").querySelectorAll("[data-csv]")) link.href = csvOf(link.dataset.csv, { days: data.days, until: data.until });
  drawDistributions();
}

function drawDistributions() {
  if (copying) for (const box of document.querySelectorAll("#quality .histogram")) drawBars(box, copying[box.dataset.kind], copying.metrics);
}

function classParameters() {
  return Object.fromEntries(Object.entries(classes).filter(([, value]) => value !== ""));
}

async function askClasses(change) {
  Object.assign(classes, change);
  const { days, until } = chosen;
  try {
    update("classes", await get("/api/quality/breakdowns", { days, until, ...classParameters() }), drawClasses);
  } catch (error) { report(error); }
}

function drawClasses(data) {
  const box = $("classes-content");
  if (data.reason !== null) { box.replaceChildren(h("p", { class: "empty" }, "Unknown: ", data.reason)); return; }
  let waiting = null;
  if (!$("class-filter")) {
    box.replaceChildren(
      h("div", { class: "filter" }, h("div", { class: "counts", id: "class-dimensions", role: "group", "aria-label": "Classes by" }),
        h("label", { class: "hidden", for: "class-filter" }, "Filter the classes"),
        h("input", { id: "class-filter", type: "search", placeholder: "Filter", maxlength: 100, autocomplete: "off",
          oninput: (event) => { clearTimeout(waiting); waiting = setTimeout(() => askClasses({ q: event.target.value.trim() }), 150); } }),
        h("a", { class: "button", id: "classes-csv", download: "" }, "CSV")),
      h("div", { class: "scroll", id: "class-rows", tabindex: "0", role: "region", "aria-label": "Fills by class" }));
  }
  $("class-dimensions").replaceChildren(...Object.entries(DIMENSIONS).map(([name, words]) =>
    h("button", { type: "button", "aria-pressed": String(name === data.dimension), onclick: () => askClasses({ dimension: name, q: "" }) }, words, h("b", {}, count(data.counts[name])))));
  if (document.activeElement !== $("class-filter")) $("class-filter").value = classes.q;
  $("class-rows").replaceChildren(data.rows.length ? classTable(data.rows, data.dimension, sortable) : h("p", { class: "empty" }, "No class matches the filter."));
  $("classes-csv").href = csvOf("breakdowns", { days: copying.days, until: copying.until, ...classParameters() });
}

function sortable(name, column, first = "desc") {
  const active = classes.sort === column;
  const way = active ? (classes.order === "asc" ? "desc" : "asc") : first;
  return {
    head: h("button", { type: "button", onclick: () => askClasses({ sort: column, order: way }) }, name + (active ? (classes.order === "asc" ? " ▲" : " ▼") : "")),
    sort: active ? (classes.order === "asc" ? "ascending" : "descending") : null,
  };
}

function drawLog(data) {
  $("quality-log").replaceChildren(h("h3", {}, `The bot's log, last ${data.days === 1 ? "24 hours" : `${data.days} days`} to now`), ...botLog(data).filter(Boolean));
}

function drawDaily([daily, week, month]) {
  rows = daily;
  const chart = h("div", { class: "plot", id: "quality-plot", role: "img", "aria-label": "Gap by day; the table below has the numbers" }, h("div", { class: "canvas" }));
  $("quality-daily").replaceChildren(...(rows.length ? [
    h("div", { class: "panel chart" }, h("header", {}, h("h3", {}, `Gap by day, last ${rows.length} days (pale: reconstructed; press a bar for its day)`),
      h("div", { class: "actions" }, h("a", { class: "button", href: "/api/export.csv?what=quality&window=1&days=60", download: "" }, "CSV"),
        h("button", { type: "button", onclick: png }, "PNG"))), chart),
    h("details", { class: "panel gaps" }, h("summary", {}, "All days as a table"),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Copy quality by day" }, dayTable())),
  ] : [h("p", { class: "panel empty" }, "The gap by day is not computed yet: copy_quality_daily has no row.")]));
  $("quality-windows").replaceChildren(...(rows.length ? [windowPanel("7 days", week.at(-1)), windowPanel("30 days", month.at(-1))] : []));
  drawGaps();
}

const day = (row) => row.day.slice(0, 10);

function dayTable() {
  const column = (name, field, write) => ({ name, number: true, cell: (row) => known(row[field], write, row.reasons[field]) });
  return table("Copy quality by day", [
    { name: "day (UTC)", cell: day },
    column("gap", "gap", usd), column("your PnL", "copier_pnl", usd), column("expected", "expected_pnl", usd),
    column("capture up", "capture_up", percent), column("capture down", "capture_down", percent),
    { name: "hours", number: true, cell: (row) => count(row.hours_covered) },
    { name: "from", cell: (row) => row.source },
  ], rows.toReversed());
}

function windowPanel(title, row) {
  if (!row) return h("div", { class: "panel" }, h("h3", {}, title), h("p", { class: "empty" }, "not computed yet"));
  const why = row.reasons;
  const line = (name, note, value) => h("tr", {}, h("th", { scope: "row", title: note }, name), h("td", { class: "n" }, value));
  const certain = row.gap_t === null ? null : Math.abs(row.gap_t) >= 2 ? "distinguishable from 0" : "not distinguishable from 0";
  return h("div", { class: "panel" }, h("h3", {}, `${title} to the end of ${day(row)} · ${row.source}`),
    h("table", {}, h("caption", { class: "hidden" }, `Copy quality over ${title}`), h("tbody", {},
      line("Gap", "copier − expected", known(row.gap, usd, why.gap)),
      line("t of the gap", "mean hourly gap ÷ its standard error", h("span", {}, known(row.gap_t, (t) => t.toFixed(2).replace("-", "\u2212"), why.gap_t), certain ? h("small", { class: "muted" }, ` ${certain}`) : null)),
      line("Capture up", "of ratio × the whale's gains; high is good", known(row.capture_up, percent, why.capture_up)),
      line("Capture down", "of ratio × the whale's losses; low is good", known(row.capture_down, percent, why.capture_down)),
      line("Beta ÷ ratio", "1 is as configured", known(row.beta_to_ratio, (beta) => `${beta.toFixed(2)}×`.replace("-", "\u2212"), why.beta_to_ratio)),
      line("R²", "share of the hourly variance explained by the whale", known(row.r2, (r2) => r2.toFixed(2), why.r2)),
      line("Tracking error", "USD a day", known(row.tracking_error, (value) => `${money(value)} a day`, why.tracking_error)))));
}

withPlotly(() => drawQuality());
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function figure() {
  const bars = {
    type: "bar", x: rows.map(day), y: rows.map((row) => row.gap), hoverinfo: "text", hovertext: rows.map((row) => `${day(row)}: ${row.gap === null ? "unknown" : money(row.gap, { signed: true })}`),
    marker: { color: rows.map((row) => colour(row.gap >= 0 ? "--good" : "--bad")), opacity: rows.map((row) => (row.source === "recorded" ? 1 : 0.5)) },
  };
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--faint"), fixedrange: true, tickfont: { size: 11 } };
  const layout = {
    margin: { l: 62, r: 14, t: 8, b: 26 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", bargap: 0.25, showlegend: false,
    font: { color: colour("--soft"), family: getComputedStyle(document.body).fontFamily, size: 11 }, xaxis: { ...axis, type: "date", showgrid: false }, yaxis: { ...axis, tickformat: "$,~r" },
  };
  return { data: [bars], layout };
}

/** Draw the pictures again, after a change of theme or width. */
export function drawQuality() {
  drawGaps();
  drawDistributions();
}

function drawGaps() {
  const plot = $("quality-plot");
  if (!plot || !window.Plotly) return;
  const { data, layout } = figure();
  Plotly.react(plot.firstChild, data, { ...layout, width: plot.clientWidth, height: plot.clientHeight }, { displayModeBar: false });
  if (plot.dataset.wired) return;
  plot.dataset.wired = "1";
  plot.firstChild.on("plotly_click", ({ points: [point] }) => choose({ days: "1", until: day(rows[point.pointIndex]) }));
}

function png() {
  const { data, layout } = figure();
  const simulated = document.body.dataset.simulated ? " · SIMULATED DATA" : "";
  const whole = { ...layout, width: 1400, height: 520, paper_bgcolor: colour("--panel"), margin: { l: 70, r: 40, t: 50, b: 40 }, title: { text: `Gap by UTC day${simulated}` } };
  return Plotly.downloadImage({ data, layout: whole }, { format: "png", width: 1400, height: 520, filename: "polypipe-quality" });
}
