// Section "Copy quality": one bar a day, and the figures of the longer windows.

import { $, h, table, unknown } from "./dom.js";
import { count, money, percent } from "./format.js";
import { withPlotly } from "./chart.js";
import { get } from "./net.js";

const known = (value, write, reason) => (value === null ? unknown(reason ?? "no reason is recorded", { brief: true }) : write(value));
const usd = (value) => h("span", { class: value > 0.005 ? "mood-good" : value < -0.005 ? "mood-bad" : null }, money(value, { signed: true }));
let rows = null;

export async function loadQuality() {
  const [daily, week, month] = await Promise.all([get("/api/quality", { window: 1, days: 60 }), get("/api/quality", { window: 7, days: 1 }), get("/api/quality", { window: 30, days: 1 })]);
  rows = daily.rows;
  $("quality").classList.remove("loading");
  const body = $("quality-body");
  if (!rows.length) {
    body.replaceChildren(h("p", { class: "panel empty" }, "No day is computed yet. Yesterday is filled by a schedule; earlier days by a backfill of wallet_pnl and copy_quality_daily in Dagster."));
    return;
  }
  const chart = h("div", { class: "plot", id: "quality-plot", role: "img", "aria-label": "Gap by day; the table below has the numbers" }, h("div", { class: "canvas" }));
  body.replaceChildren(
    h("div", { class: "panel chart" }, h("header", {}, h("h3", {}, `Gap by day, last ${rows.length} days (pale: reconstructed)`),
      h("div", { class: "actions" }, h("a", { class: "button", href: "/api/export.csv?what=quality&window=1&days=60", download: "" }, "CSV"),
        h("button", { type: "button", onclick: png }, "PNG"))), chart),
    h("div", { class: "two" }, windowPanel("7 days", week.rows.at(-1)), windowPanel("30 days", month.rows.at(-1))),
    h("details", { class: "panel gaps" }, h("summary", {}, "All days as a table"),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Copy quality by day" }, dayTable())));
  drawQuality();
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

/** Draw the bars again, after a change of theme or width. */
export function drawQuality() {
  const plot = $("quality-plot");
  if (!plot || !window.Plotly) return;
  const { data, layout } = figure();
  Plotly.react(plot.firstChild, data, { ...layout, width: plot.clientWidth, height: plot.clientHeight }, { displayModeBar: false });
}

function png() {
  const { data, layout } = figure();
  const simulated = document.body.dataset.simulated ? " · SIMULATED DATA" : "";
  const whole = { ...layout, width: 1400, height: 520, paper_bgcolor: colour("--panel"), margin: { l: 70, r: 40, t: 50, b: 40 }, title: { text: `Gap by UTC day${simulated}` } };
  return Plotly.downloadImage({ data, layout: whole }, { format: "png", width: 1400, height: 520, filename: "polypipe-quality" });
}
