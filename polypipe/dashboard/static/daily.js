// The gap of copy_quality_daily as one bar a day, and copy quality over 7 and 30 days.

import { $, h, table, tip, unknown } from "./dom.js";
import { count, money, percent, side } from "./format.js";
import { withPlotly } from "./chart.js";

const known = (value, write, reason, brief = false) => (value === null ? unknown(reason ?? "no reason recorded", { brief }) : write(value));
const usd = (value) => h("span", { class: value > 0.005 ? "mood-good" : value < -0.005 ? "mood-bad" : null }, money(value, { signed: true }));
const [DAY_MS, LEAST_DAYS] = [86_400_000, 7];
let rows = [];
let pressed = () => {};

/** Draw chart, table and panels from the rows of 1, 7 and 30 days; `press(day)` is called for a bar. */
export function drawDaily([daily, week, month], press) {
  rows = daily;
  pressed = press;
  const chart = h("div", { class: "plot", id: "quality-plot", role: "img", "aria-label": "Gap by day; the table below has the numbers" }, h("div", { class: "canvas" }));
  $("quality-daily").replaceChildren(...(rows.length ? [
    h("div", { class: "panel chart" }, h("header", {}, h("h3", {}, `Gap by day, last ${rows.length === 1 ? "day" : `${rows.length} days`} (pale: reconstructed; click a bar for its day)`),
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
  const column = (name, field, write) => ({ name, number: true, cell: (row) => known(row[field], write, row.reasons[field.replace("expected_pnl_in_cents", "expected_pnl")], field !== "gap") });
  return table("Copy quality by day", [
    { name: "day (UTC)", cell: (row) => h("span", {}, day(row), row.activity_unknown.length ? h("small", { class: "muted" }, " activity unknown", tip(`Fills, copies and exits of this day may be missing: ${row.activity_unknown.join("; ")}.`)) : null) },
    column("gap", "gap", usd), column("copier PnL", "copier_pnl", usd), column("expected", "expected_pnl_in_cents", usd),
    column("capture up", "capture_up", percent), column("capture down", "capture_down", percent),
    { name: "hours", number: true, cell: (row) => count(row.hours_covered) },
    { name: "from", cell: (row) => row.source },
  ], rows.toReversed());
}

/** The inputs of a row's numbers, as text; empty if the row lacks them, as rows of earlier versions do. */
function inputs(row) {
  const signed = (value, decimals = 2) => money(value, { signed: true, decimals });
  const fine = (value) => money(value, { decimals: 4 });
  const given = (fields, write) => (fields.every((field) => Number.isFinite(row[field])) ? ` ${write(...fields.map((field) => row[field]))}.` : "");
  const divided = (mine, whole) => `${signed(mine)} ÷ (${signed(whole)})`;
  return {
    gap: given(["copier_pnl", "expected_pnl_in_cents"], (mine, expected) => `${signed(mine)} − (${signed(expected)})`),
    up: given(["up_copier", "up_expected"], divided),
    down: given(["down_copier", "down_expected"], divided),
    beta: given(["beta", "scaling_ratio"], (beta, ratio) => `${count(beta, 4)} ÷ ${ratio}`),
    r2: given(["beta", "hourly_whale_sd", "hourly_copier_sd"], (beta, whale, mine) => `(${count(beta, 4)} × ${fine(whale)} ÷ ${fine(mine)})²`),
    error: given(["hourly_gap_sd"], (sd) => `${fine(sd)} × √24`),
  };
}

function windowPanel(days, row) {
  const title = `${days} days`;
  if (!row) return h("div", { class: "panel" }, h("h3", {}, title), h("p", { class: "empty" }, "not computed yet"));
  const [why, from] = [row.reasons, inputs(row)];
  const line = (name, note, value) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "named" }, name, tip(`${note} Over ${count(row.hours_covered)} hours.`))), h("td", { class: "n" }, value));
  const times = (value) => `${count(value, 2)}×`;
  const interval = row.beta_to_ratio === null || row.beta_low === null ? null : h("small", { class: "below" }, `95 %: ${times(row.beta_low / row.scaling_ratio)} to ${times(row.beta_high / row.scaling_ratio)}`);
  const range = row.gap_low === null ? null : h("small", { class: "below" }, `95 %: ${money(row.gap_low, { signed: true })} to ${money(row.gap_high, { signed: true })}`);
  const certain = row.gap_low === null ? null : side(row.gap_low, row.gap_high);
  const csv = h("a", { class: "button", href: `/api/export.csv?what=quality&window=${days}&days=1`, download: "" }, "CSV");
  return h("div", { class: "panel part" }, h("header", {}, h("h3", {}, `${title} to the end of ${day(row)} · ${row.source}`), h("div", { class: "actions" }, csv)),
    h("table", {}, h("caption", { class: "hidden" }, `Copy quality over ${title}`), h("tbody", {},
      line("Gap", `Copier PnL − Σ over the hours of ratio × the change of whale PnL.${from.gap}`, h("span", {}, known(row.gap, usd, why.gap), range)),
      line("t of the gap", "Gap ÷ its standard error, from the spread between days; between −1.96 and 1.96 the gap is not distinguishable from zero.", h("span", {}, known(row.gap_t, (t) => count(t, 2), why.gap_t), certain ? h("small", { class: "below" }, certain) : null)),
      line("Capture up", `Copier PnL in the hours in which the whale gained ÷ (ratio × its gains); high is good.${from.up}`, known(row.capture_up, percent, why.capture_up)),
      line("Capture down", `Copier PnL in the hours in which the whale lost ÷ (ratio × its losses); low is good.${from.down}`, known(row.capture_down, percent, why.capture_down)),
      line("Beta ÷ ratio", `Slope of the copier's hourly changes on the whale's ÷ the ratio; 1 is as configured.${from.beta}`, h("span", {}, known(row.beta_to_ratio, times, why.beta_to_ratio), interval)),
      line("R²", `Share of the variance of the copier's hourly changes that the whale's explain, 0 to 1: (beta × the standard deviation of the whale's changes ÷ that of the copier's)².${from.r2}`, known(row.r2, (r2) => r2.toFixed(2), why.r2)),
      line("Tracking error", `Standard deviation of the hourly gap × √24, in USD a day.${from.error}`, known(row.tracking_error, (value) => `${money(value)} a day`, why.tracking_error)))));
}

withPlotly(() => drawGaps());
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function figure(wide) {
  const bars = {
    type: "bar", width: 0.75 * DAY_MS, x: rows.map(day), y: rows.map((row) => row.gap), hoverinfo: "text", hovertext: rows.map((row) => `${day(row)}: ${row.gap === null ? "unknown" : money(row.gap, { signed: true })}`),
    marker: { color: rows.map((row) => colour(row.gap >= 0 ? "--good" : "--bad")), opacity: rows.map((row) => (row.source === "recorded" ? 1 : 0.5)) },
  };
  // Left to itself Plotly draws a single day over the whole width, on an axis of a millisecond.
  const [oldest, newest] = [rows[0], rows.at(-1)].map((row) => Date.parse(day(row)));
  const start = Math.min(oldest, newest - (LEAST_DAYS - 1) * DAY_MS);
  const few = newest - start < LEAST_DAYS * DAY_MS ? { tick0: day(rows.at(-1)), dtick: wide ? DAY_MS : 3 * DAY_MS, tickformat: "%b %-d" } : {};
  const dates = { range: [start - DAY_MS / 2, newest + DAY_MS / 2].map((ms) => new Date(ms).toISOString()), ...few };
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--faint"), fixedrange: true, tickfont: { size: 11 } };
  const layout = {
    margin: { l: 62, r: 14, t: 8, b: 26 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
    font: { color: colour("--soft"), family: getComputedStyle(document.body).fontFamily, size: 11 }, xaxis: { ...axis, ...dates, type: "date", showgrid: false }, yaxis: { ...axis, tickformat: "$,~r" },
  };
  return { data: [bars], layout };
}

/** Redraw the bars after a change of theme or width. */
export function drawGaps() {
  const plot = $("quality-plot");
  if (!plot || !window.Plotly) return;
  const { data, layout } = figure(plot.clientWidth > 600);
  Plotly.react(plot.firstChild, data, { ...layout, width: plot.clientWidth, height: plot.clientHeight }, { displayModeBar: false });
  if (plot.dataset.wired) return;
  plot.dataset.wired = "1";
  plot.firstChild.on("plotly_click", ({ points: [point] }) => pressed(day(rows[point.pointIndex])));
}

function png() {
  const { data, layout } = figure(true);
  const simulated = document.body.dataset.simulated ? " · SIMULATED DATA" : "";
  const whole = { ...layout, width: 1400, height: 520, paper_bgcolor: colour("--panel"), margin: { l: 70, r: 40, t: 50, b: 40 }, title: { text: `Gap by UTC day${simulated}` } };
  return Plotly.downloadImage({ data, layout: whole }, { format: "png", width: 1400, height: 520, filename: "polypipe-quality" });
}
