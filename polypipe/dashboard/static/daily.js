// One bar a day: the gap as copy_quality_daily has it, and how closely PnL followed over 7 and 30 days.

import { $, h, table, tip, unknown } from "./dom.js";
import { count, money, percent } from "./format.js";
import { withPlotly } from "./chart.js";

const known = (value, write, reason) => (value === null ? unknown(reason ?? "no reason is recorded", { brief: true }) : write(value));
const usd = (value) => h("span", { class: value > 0.005 ? "mood-good" : value < -0.005 ? "mood-bad" : null }, money(value, { signed: true }));
let rows = [];
let pressed = () => {};

/** Draw chart, table and panels from the rows of 1, 7 and 30 days; `press(day)` is called for a bar. */
export function drawDaily([daily, week, month], press) {
  rows = daily;
  pressed = press;
  const chart = h("div", { class: "plot", id: "quality-plot", role: "img", "aria-label": "Gap by day; the table below has the numbers" }, h("div", { class: "canvas" }));
  $("quality-daily").replaceChildren(...(rows.length ? [
    h("div", { class: "panel chart" }, h("header", {}, h("h3", {}, `Gap by day, last ${rows.length} days (pale: reconstructed; press a bar for its day)`),
      h("div", { class: "actions" }, h("a", { class: "button", href: "/api/export.csv?what=quality&window=1&days=60", download: "" }, "CSV"),
        h("button", { type: "button", onclick: png }, "PNG"))), chart),
    h("details", { class: "panel gaps" }, h("summary", {}, "All days as a table"),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Copy quality by day" }, dayTable())),
  ] : [h("p", { class: "panel empty" }, "The gap by day is not computed yet: copy_quality_daily has no row.")]));
  $("quality-windows").replaceChildren(...(rows.length ? [windowPanel(7, week.at(-1)), windowPanel(30, month.at(-1))] : []));
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

function windowPanel(days, row) {
  const title = `${days} days`;
  if (!row) return h("div", { class: "panel" }, h("h3", {}, title), h("p", { class: "empty" }, "not computed yet"));
  const why = row.reasons;
  const line = (name, note, value) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "named" }, name, tip(note))), h("td", { class: "n" }, value));
  const certain = row.gap_t === null ? null : Math.abs(row.gap_t) >= 2 ? "distinguishable from 0" : "not distinguishable from 0";
  const csv = h("a", { class: "button", href: `/api/export.csv?what=quality&window=${days}&days=1`, download: "" }, "CSV");
  return h("div", { class: "panel part" }, h("header", {}, h("h3", {}, `${title} to the end of ${day(row)} · ${row.source}`), h("div", { class: "actions" }, csv)),
    h("table", {}, h("caption", { class: "hidden" }, `Copy quality over ${title}`), h("tbody", {},
      line("Gap", "Your PnL − Σ over the hours of ratio × the change of the whale's PnL.", known(row.gap, usd, why.gap)),
      line("t of the gap", "Mean hourly gap ÷ its standard error; between −2 and 2 it is not distinguishable from 0.", h("span", {}, known(row.gap_t, (t) => t.toFixed(2).replace("-", "\u2212"), why.gap_t), certain ? h("small", { class: "muted" }, ` ${certain}`) : null)),
      line("Capture up", "Your PnL in the hours in which the whale gained ÷ ratio × its gains; high is good.", known(row.capture_up, percent, why.capture_up)),
      line("Capture down", "Your PnL in the hours in which the whale lost ÷ ratio × its losses; low is good.", known(row.capture_down, percent, why.capture_down)),
      line("Beta ÷ ratio", "Slope of your hourly changes on the whale's ÷ the ratio; 1 is as configured.", known(row.beta_to_ratio, (beta) => `${beta.toFixed(2)}×`.replace("-", "\u2212"), why.beta_to_ratio)),
      line("R²", "Share of the variance of your hourly changes that the whale's explain, 0 to 1.", known(row.r2, (r2) => r2.toFixed(2), why.r2)),
      line("Tracking error", "Standard deviation of the hourly gap × √24, in USD a day.", known(row.tracking_error, (value) => `${money(value)} a day`, why.tracking_error)))));
}

withPlotly(() => drawGaps());
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
export function drawGaps() {
  const plot = $("quality-plot");
  if (!plot || !window.Plotly) return;
  const { data, layout } = figure();
  Plotly.react(plot.firstChild, data, { ...layout, width: plot.clientWidth, height: plot.clientHeight }, { displayModeBar: false });
  if (plot.dataset.wired) return;
  plot.dataset.wired = "1";
  plot.firstChild.on("plotly_click", ({ points: [point] }) => pressed(day(rows[point.pointIndex])));
}

function png() {
  const { data, layout } = figure();
  const simulated = document.body.dataset.simulated ? " · SIMULATED DATA" : "";
  const whole = { ...layout, width: 1400, height: 520, paper_bgcolor: colour("--panel"), margin: { l: 70, r: 40, t: 50, b: 40 }, title: { text: `Gap by UTC day${simulated}` } };
  return Plotly.downloadImage({ data, layout: whole }, { format: "png", width: 1400, height: 520, filename: "polypipe-quality" });
}
