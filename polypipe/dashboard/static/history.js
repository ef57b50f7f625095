// Section "History": three charts over one range, which the page's address holds.

import { Chart, redraw } from "./chart.js";
import { $, h, table } from "./dom.js";
import { counted, fromInput, inputValue, instant, money, percent, span, zoneName } from "./format.js";
import { get } from "./net.js";

export const RANGES = [["1H", 1], ["6H", 6], ["24H", 24], ["3D", 72], ["7D", 168], ["30D", 720], ["ALL", "all"]];
const FIELDS = "pnl_vs_expected,user1_pnl,expected_pnl,user2_pnl,pnl_efficiency,loss_share";

let range = { hours: 24 }; // or {from, to} in milliseconds
let made = null;
let asked = 0;
let changed = () => {};

const none = () => ({ t: [], values: [] });
const rebuilt = (field) => (data) => (data.reconstructed ? { t: data.reconstructed.t, values: data.reconstructed[field] } : none());
const usd = (value) => money(value, { signed: true });

function empty(data) {
  if (data.first === null) return "No snapshot is stored yet. The first one appears within a minute of the start.";
  return `No known number in this range. Snapshots are stored from ${instant(Date.parse(data.first))} to ${instant(Date.parse(data.last))} ${zoneName()}.`;
}

function build() {
  const who = document.body.dataset;
  const share = `${+(100 * who.ratio).toFixed(4)} %`;
  const axis = { tickformat: "$,~r" };
  const reset = () => choose({ hours: 24 });
  const zoomed = (from, to) => choose({ from: Math.round(from), to: Math.round(to) });
  const options = [
    { id: "gap", title: "Gap", zero: true, fill: true, axis, lines: [
      { name: "actual − expected", field: "pnl_vs_expected", colour: "--text", write: usd },
      { name: "reconstructed, hourly", field: "pnl_vs_expected", colour: "--faint", dash: "dot", write: usd, source: rebuilt("gap"), quiet: true }] },
    { id: "pnl", title: "Rolling 24 h PnL", zero: true, axis, lines: [
      { name: who.copier, field: "user1_pnl", colour: "--good", write: usd },
      { name: `${share} of ${who.whale}`, field: "expected_pnl", colour: "--bad", dash: "dash", write: usd },
      { name: `${who.whale}, right axis`, field: "user2_pnl", colour: "--faint", dash: "dot", write: usd, axis2: true, hidden: true, toggle: true },
      { name: "reconstructed", field: "user1_pnl", colour: "--faint", dash: "dot", write: usd, source: rebuilt("copier"), quiet: true },
      { name: "reconstructed expected", field: "expected_pnl", colour: "--soft", dash: "dot", write: usd, source: rebuilt("expected"), quiet: true }] },
    { id: "efficiency", title: "Efficiency", hundred: true, robust: true, axis: { ticksuffix: " %" }, lines: [
      { name: "efficiency (whale gains)", field: "pnl_efficiency", colour: "--good", write: percent, or: "–" },
      { name: "loss share (whale loses)", field: "loss_share", colour: "--bad", dash: "dash", write: percent, or: "–" }] },
  ];
  made = options.map((option) => new Chart({ ...option, empty }, zoomed, reset));
  $("charts").replaceChildren(...made.map((chart) => chart.node));
  $("ranges").replaceChildren(...RANGES.map(([name, hours], place) =>
    h("button", { type: "button", title: `${name} (${place + 1})`, dataset: { hours }, onclick: () => choose({ hours }) }, name)));
  $("custom").addEventListener("submit", (event) => {
    event.preventDefault();
    const [from, to] = ["from", "to"].map((name) => fromInput(event.target.elements[name].value));
    if (from < to) choose({ from, to });
    else event.target.elements.to.setCustomValidity("to must be after from"), event.target.reportValidity();
  });
  $("custom").addEventListener("input", (event) => event.currentTarget.elements.to.setCustomValidity(""));
}

/** Read the range from the address. `onChange` is called when another one is chosen. */
export function startHistory(onChange) {
  changed = onChange;
  readAddress();
  build();
  window.addEventListener("popstate", () => { readAddress(); mark(); changed(); });
  let width = 0;
  new ResizeObserver(([entry]) => { if (entry.contentRect.width !== width) { width = entry.contentRect.width; redraw(); } }).observe($("charts"));
  mark();
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  const [from, to] = [Date.parse(query.get("from") ?? ""), Date.parse(query.get("to") ?? "")];
  const named = RANGES.find(([name]) => name === query.get("range"));
  range = from < to ? { from, to } : { hours: named ? named[1] : 24 };
}

/** Show another range and put it into the address. */
export function choose(wanted) {
  range = wanted;
  const query = new URLSearchParams(location.search);
  for (const name of ["range", "from", "to"]) query.delete(name);
  if (range.from) {
    query.set("from", new Date(range.from).toISOString());
    query.set("to", new Date(range.to).toISOString());
  } else query.set("range", RANGES.find(([, hours]) => hours === range.hours)[0]);
  history.pushState(null, "", `?${query}${location.hash}`);
  mark();
  changed();
}

function mark() {
  for (const button of $("ranges").children) button.setAttribute("aria-pressed", String(!range.from && button.dataset.hours === String(range.hours)));
}

function parameters() {
  const which = range.from ? { from: new Date(range.from).toISOString(), to: new Date(range.to).toISOString() } : { hours: range.hours };
  const width = $("charts").clientWidth || 1200;
  return { ...which, fields: FIELDS, points: Math.max(300, Math.min(4000, Math.round(width * 1.3))) };
}

/** Load the range and draw it. An answer that a later request has overtaken is dropped. */
export async function loadHistory() {
  const mine = ++asked;
  const which = parameters();
  try {
    const data = await get("/api/history", { ...which, layout: "columns" });
    if (mine !== asked) return;
    draw(data, which);
  } catch (error) {
    for (const chart of made) chart.fail(error.message);
    throw error;
  }
}

function draw(data, which) {
  $("history").classList.remove("loading");
  const csv = `/api/export.csv?${new URLSearchParams({ what: "history", ...which })}`;
  for (const chart of made) { chart.options.csv = csv; chart.show(data); }
  const grain = data.resolution_seconds === null ? "every snapshot" : `minimum and maximum of each ${span(data.resolution_seconds)}`;
  $("history-sub").textContent = data.first === null ? "" : `${counted(data.stored_rows, "snapshot")}, ${grain}`;
  if (!$("custom").contains(document.activeElement)) {
    $("custom").elements.from.value = inputValue(Date.parse(data.from));
    $("custom").elements.to.value = inputValue(Date.parse(data.to));
  }
  for (const node of document.querySelectorAll(".zone-name")) node.textContent = zoneName();
  drawGaps(data.gaps, which);
}

function drawGaps(gaps, { points, fields, ...which }) {
  const box = $("gaps");
  box.hidden = !gaps.length;
  if (!gaps.length) return;
  const total = gaps.reduce((sum, gap) => sum + Date.parse(gap.to) - Date.parse(gap.from), 0) / 1000;
  box.querySelector("summary").textContent = `${gaps.length} stretch${gaps.length === 1 ? "" : "es"} of this range without a known gap, ${span(total)} in total`;
  box.querySelector("div").replaceChildren(h("a", { class: "button", href: `/api/export.csv?${new URLSearchParams({ what: "gaps", ...which })}`, download: "" }, "CSV"), table("Stretches over which the gap is unknown", [
    { name: `from (${zoneName()})`, cell: (gap) => instant(Date.parse(gap.from), true) },
    { name: "to", cell: (gap) => instant(Date.parse(gap.to), true) },
    { name: "length", number: true, cell: (gap) => span((Date.parse(gap.to) - Date.parse(gap.from)) / 1000) },
    { name: "reason", cell: (gap) => gap.reason },
  ], gaps.toReversed()));
}

/** Load the last 24 h at low resolution, for the sparklines of the cards. */
export function loadDay() {
  const fields = "pnl_vs_expected,pnl_efficiency,loss_share,user1_pnl,expected_pnl,user1_value,user2_value,user1_rank,user2_rank";
  return get("/api/history", { hours: 24, points: 160, layout: "columns", fields });
}

export { redraw };
