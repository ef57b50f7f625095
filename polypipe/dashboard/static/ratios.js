// The grid of a what-if: a chart of replayed PnL and gap against the ratio, and a table for each dimension.

import { h, table, unknown } from "./dom.js";
import { money } from "./format.js";
import { withPlotly } from "./chart.js";

const NUMBERS = { copier_pnl: "copier PnL", gap: "gap", cost: "cost", capital: "capital at peak", drawdown: "drawdown" };
const LINES = [["copier_pnl", "Copier PnL", "--good", "solid"], ["gap", "Gap", "--bad", "dash"]];
const MARKS = { in_force: "in force", asked: "asked for" };
const usd = (value) => money(value, { signed: true });
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let shown = null; // the answer that is drawn
let plot = null;

/** The chart and the tables of an answer. */
export function ratios(data, csv) {
  shown = data;
  const rows = data.grid.filter((row) => row.dimension === "ratio");
  if (!rows.length) return [];
  plot = h("div", { class: "plot", id: "ratio-plot", role: "img", "aria-label": "Replayed copier PnL and gap against the ratio, with 95 % bands; the table below has the numbers" }, h("div", { class: "canvas" }));
  requestAnimationFrame(drawRatios);
  return [
    h("div", { class: "chart", id: "ratio-chart" }, h("header", {}, h("h4", {}, "PnL and gap by ratio"), h("p", { class: "key" }, LINES.map(([field, name]) => h("span", { class: field }, name)))), plot),
    ...Object.entries({ ratio: "Ratios", floor: "Floors, in shares", tiers: "Tiers", latency: "Latencies" }).map(([dimension, title]) =>
      h("details", { class: "grid", open: dimension === "ratio" }, h("summary", {}, title), numbers(title, data.grid.filter((row) => row.dimension === dimension)))),
    h("a", { class: "button", href: csv, download: "" }, "CSV of all rules"),
  ];
}

function numbers(title, rows) {
  const column = (field, name) => ({ name, number: true, cell: (row) => {
    if (row[field] === null) return unknown(row.reasons[field] ?? "no reason recorded", { brief: true });
    const write = (value) => money(value, { signed: ["copier_pnl", "gap"].includes(field) });
    const low = row[`${field}_low`];
    return [write(row[field]), h("small", { class: "below" }, low === null ? h("span", { title: row.reasons[`${field}_low`] }, "no interval") : `${write(low)} to ${write(row[`${field}_high`])}`)];
  } });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table(title, [
    { name: title.split(",")[0].toLowerCase(), whole: true, cell: (row) => [row.label, ...Object.entries(MARKS).filter(([mark]) => row[mark]).map(([, words]) => h("small", { class: "below" }, words))] },
    ...Object.entries(NUMBERS).map(([field, name]) => column(field, name)),
  ], rows));
}

/** Draw the chart; again after a change of theme or width. */
export function drawRatios() {
  if (!plot?.isConnected || !window.Plotly) return;
  const rows = shown.grid.filter((row) => row.dimension === "ratio");
  const grid = { gridcolor: colour("--line"), zerolinecolor: colour("--faint"), fixedrange: true, tickfont: { size: 11 } };
  const at = (ratio, dash) => ({ type: "line", yref: "paper", y0: 0, y1: 1, x0: ratio, x1: ratio, line: { color: colour("--soft"), width: 1, dash } });
  const label = (ratio, text) => ({ x: ratio, y: 1, yref: "paper", yanchor: "bottom", text, showarrow: false, font: { size: 11, color: colour("--soft") } });
  const asked = rows.find((row) => row.asked)?.value;
  const marks = [[shown.ratio_in_force, "in force", "dot"], ...(asked === undefined || asked === shown.ratio_in_force ? [] : [[asked, "asked for", "solid"]])];
  Plotly.react(plot.firstChild, LINES.flatMap((line) => traces(rows, ...line)), {
    margin: { l: 62, r: 14, t: 20, b: 34 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { color: colour("--soft"), family: getComputedStyle(document.body).fontFamily, size: 11 }, width: plot.clientWidth, height: plot.clientHeight,
    xaxis: { ...grid, zeroline: false, title: { text: "ratio", standoff: 4 } }, yaxis: { ...grid, tickformat: "$,~r" },
    shapes: marks.map(([ratio, , dash]) => at(ratio, dash)), annotations: marks.map(([ratio, text]) => label(ratio, text)),
  }, { displayModeBar: false });
}

withPlotly(() => drawRatios());

/** The band of a number, where all its intervals are known, and its line. */
function traces(rows, field, name, ink, dash) {
  const x = rows.map((row) => row.value);
  const [low, high] = ["low", "high"].map((end) => rows.map((row) => row[`${field}_${end}`]));
  const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
  const band = low.includes(null) ? [] : [{ ...edge, y: low }, { ...edge, y: high, fill: "tonexty", fillcolor: colour(`${ink}-wash`) }];
  const words = rows.map((row) => `${row.label}: ${name} ${usd(row[field])}${row[`${field}_low`] === null ? "" : `, 95 % ${usd(row[`${field}_low`])} to ${usd(row[`${field}_high`])}`}`);
  return [...band, { x, y: rows.map((row) => row[field]), mode: "lines+markers", line: { color: colour(ink), width: 1.8, dash }, marker: { color: colour(ink), size: 5 }, hoverinfo: "text", hovertext: words }];
}
