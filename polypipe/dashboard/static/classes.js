// Eligible fills by class: one dimension at a time, sorted and filtered by the server.

import { $, h, redraw, table } from "./dom.js";
import { count, money, percent } from "./format.js";
import { cents } from "./copies.js";
import { get } from "./net.js";

const DIMENSIONS = { sport: "sport", league: "league", market_type: "market type", live: "in play", price: "price", size: "size in shares", order: "order in shares", side: "side" };
const VERDICTS = { costs: ["bad", "▼ costs"], gains: ["good", "▲ gains"] };
const optional = (value, write) => (value === null ? h("span", { class: "muted" }, "–") : write(value));

function classTable(rows, dimension) {
  const column = (name, field, tip, cell, first) => ({ name, number: true, tip, ...sortable(name, field, first), cell });
  return table(`Eligible fills by ${DIMENSIONS[dimension]}`, [
    { name: DIMENSIONS[dimension], whole: ["price", "size", "order"].includes(dimension), ...sortable(DIMENSIONS[dimension], "value", "asc"), cell: (row) => row.value },
    column("Eligible", "eligible_fills", "The whale's fills of this class that the bot copies by its rule.", (row) => count(row.eligible_fills)),
    column("Copied", "copied_fills", "Eligible fills with at least one copier fill; below it the share of ambiguous matches.",
      (row) => [count(row.copied_fills), row.ambiguous_fills ? h("small", { class: "below" }, `${percent(100 * row.ambiguous_fills / row.copied_fills, { decimals: 0 })} ambiguous`) : ""]),
    column("Copy rate", "copy_rate", "Copied ÷ eligible; below it the 95 % interval, from the spread between days.",
      (row) => optional(row.copy_rate, (rate) => [percent(rate, { decimals: 0 }), h("small", { class: "below" }, row.copy_rate_low === null ? "interval unknown" : `${percent(row.copy_rate_low, { decimals: 0 })} to ${percent(row.copy_rate_high, { decimals: 0 })}`)])),
    column("Fill ratio", "fill_ratio", "Copier shares ÷ shares ordered (the expected size, at least the bot's minimum order), over copied fills.", (row) => optional(row.fill_ratio, (v) => percent(v, { decimals: 0 }))),
    column("Latency", "latency_p50", "Median seconds to the first copy.", (row) => optional(row.latency_p50, (v) => `${v.toFixed(0)} s`)),
    column("Slippage", "slippage_cents", "Cents a share, weighted by shares, + is worse; below it the 95 % interval from the spread between days, or the number of events where it is unknown.",
      (row) => optional(row.slippage_cents, (v) => [cents(v), h("small", { class: "below" }, row.slippage_cents_low === null ? `${count(row.events)} ${row.events === 1 ? "event" : "events"}` : `${cents(row.slippage_cents_low)} to ${cents(row.slippage_cents_high)}`)])),
    column("Cost", "slippage_usd", "Σ slippage × shares in USD, + is worse.", (row) => optional(row.slippage_usd, (v) => money(v, { signed: true }))),
    { name: "Verdict", ...sortable("Verdict", "verdict", "asc"), tip: "From the interval of the slippage: if it contains 0, the slippage is not distinguishable from zero.",
      cell: (row) => { const [mood, word] = VERDICTS[row.verdict] ?? ["", row.verdict]; return h("span", { class: `tag ${mood}` }, word); } },
  ], rows);
}

const asked = { dimension: "price", sort: "value", order: "asc", q: "" };
let days = {}; // the parameters `days` and `until`
let latest = 0;
let report = () => {};

const parameters = () => Object.fromEntries(Object.entries({ ...days, ...asked }).filter(([, value]) => value !== "" && value !== null));

/** Load the classes of these days. */
export function askClasses(wanted) {
  days = wanted;
  latest += 1;
  return get("/api/quality/breakdowns", parameters());
}

async function change(what) {
  Object.assign(asked, what);
  const mine = ++latest;
  try {
    const data = await get("/api/quality/breakdowns", parameters());
    if (mine === latest) drawClasses(data, report); // else a later request has overtaken it
  } catch (error) { report(error); }
}

/** Draw an answer. `failed` is called with errors of later requests. */
export function drawClasses(data, failed) {
  if (data.dimension !== asked.dimension) return; // another dimension was selected meanwhile
  report = failed;
  const box = $("classes-content");
  if (data.reason !== null) { box.replaceChildren(h("p", { class: "empty" }, "Unknown: ", data.reason)); return; }
  if (!$("class-filter")) box.replaceChildren(...frame());
  redraw($("class-dimensions"), ...Object.entries(DIMENSIONS).map(([name, words]) =>
    h("button", { type: "button", "aria-pressed": String(name === data.dimension), onclick: () => change({ dimension: name, q: "" }) }, words, h("b", {}, count(data.counts[name])))));
  if (document.activeElement !== $("class-filter")) $("class-filter").value = asked.q;
  redraw($("class-rows"), data.rows.length ? classTable(data.rows, data.dimension) : h("p", { class: "empty" }, asked.q ? "No class matches the filter." : "No eligible fill has this."));
  $("classes-csv").href = `/api/export.csv?${new URLSearchParams({ what: "breakdowns", ...parameters() })}`;
}

function frame() {
  let waiting = null;
  return [
    h("div", { class: "filter" }, h("div", { class: "counts", id: "class-dimensions", role: "group", "aria-label": "Classes by" }),
      h("label", { class: "hidden", for: "class-filter" }, "Filter the classes"),
      h("input", { id: "class-filter", type: "search", placeholder: "Filter", maxlength: 100, autocomplete: "off",
        oninput: (event) => { clearTimeout(waiting); waiting = setTimeout(() => change({ q: event.target.value.trim() }), 150); } }),
      h("a", { class: "button", id: "classes-csv", download: "" }, "CSV")),
    h("div", { class: "scroll", id: "class-rows", tabindex: "0", role: "region", "aria-label": "Fills by class" }),
  ];
}

function sortable(name, column, first = "desc") {
  const active = asked.sort === column;
  const way = active ? (asked.order === "asc" ? "desc" : "asc") : first;
  return {
    head: h("button", { type: "button", onclick: () => change({ sort: column, order: way }) }, name + (active ? (asked.order === "asc" ? " ▲" : " ▼") : "")),
    sort: active ? (asked.order === "asc" ? "ascending" : "descending") : null,
  };
}
