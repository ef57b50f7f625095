// What the whale has sold and the copier still holds, and the classes of fills: two tables of the copy-quality section.

import { h, table } from "./dom.js";
import { count, instant, money, percent, span, zoneName } from "./format.js";
import { cents } from "./copies.js";

const OLD_PRICE_HOURS = 24;

/** The panel's content for the answer's `exits`. */
export function radar(found) {
  if (found.reason !== null) return [h("p", { class: "empty" }, "Unknown: ", found.reason)];
  const at = Date.parse(found.as_of);
  const more = found.tokens > found.rows.length ? `, the ${found.rows.length} with the most at risk are shown, the CSV has all` : "";
  const words = `${count(found.tokens)} ${found.tokens === 1 ? "token" : "tokens"}, ${money(found.usd)} at risk at ${instant(at)} ${zoneName(at)}${more}`;
  if (!found.rows.length) return [h("p", { class: "empty" }, `None at ${instant(at)} ${zoneName(at)}: every exit of the whale that is known was followed.`)];
  return [
    h("p", { class: "sub" }, words),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Uncopied exits" }, table("Uncopied exits, the most at risk first", [
      { name: "Market", cell: market },
      { name: "At risk", number: true, tip: "Shares too many × the last known price, in USD. The most comes first.", cell: (row) => h("b", {}, money(row.usd)) },
      { name: "Age", number: true, tip: "Since the first of the whale's sales that were not copied, to the end of the day.", cell: (row) => span(3600 * row.age_hours) },
      { name: "Since", whole: true, title: zoneName(), cell: (row) => h("span", { class: "whole" }, instant(Date.parse(row.since))) },
      { name: "Shares", number: true, tip: "What you hold beyond ratio × the whale's shares.", cell: (row) => count(row.shares, 1) },
      { name: "Price", number: true, tip: "The last one known by the end of the day: of a fill, or of a reading of positions.", cell: price },
    ], found.rows)),
  ];
}

function market(row) {
  const name = row.title || "untitled market";
  const link = row.event_slug ? h("a", { href: `https://polymarket.com/event/${encodeURIComponent(row.event_slug)}`, target: "_blank", rel: "noopener noreferrer" }, name) : name;
  return h("div", { class: "market" }, link, h("small", {}, row.outcome));
}

function price(row) {
  const old = row.price_age_hours > OLD_PRICE_HOURS;
  return [`${+(100 * row.price).toFixed(2)}¢`, old ? h("small", { class: "bad-word", title: "an old price of a game means that it is over and nobody has redeemed" }, ` ${span(3600 * row.price_age_hours)} old`) : null];
}

export const DIMENSIONS = { sport: "sport", league: "league", market_type: "market type", live: "in play", price: "price", size: "size in shares", side: "side" };
const VERDICTS = { costs: ["bad", "▼ costs"], gains: ["good", "▲ gains"] };
const optional = (value, write) => (value === null ? h("span", { class: "muted" }, "–") : write(value));

/** The table of classes; `sortable(name, column)` gives what a head needs to be pressed. */
export function classTable(rows, dimension, sortable) {
  const column = (name, field, tip, cell, first) => ({ name, number: true, tip, ...sortable(name, field, first), cell });
  return table(`Eligible fills by ${DIMENSIONS[dimension]}`, [
    { name: DIMENSIONS[dimension], ...sortable(DIMENSIONS[dimension], "value", "asc"), cell: (row) => row.value },
    column("Eligible", "eligible_fills", "The whale's fills of 10 shares and more in this class.", (row) => count(row.eligible_fills)),
    column("Copied", "copied_fills", "Those with at least one order sent.", (row) => count(row.copied_fills)),
    column("Copy rate", "copy_rate", "Copied ÷ eligible of the same line; below it the 95 % interval (Wilson).",
      (row) => [percent(row.copy_rate, { decimals: 0 }), h("small", { class: "below" }, `${percent(row.copy_rate_low, { decimals: 0 })} to ${percent(row.copy_rate_high, { decimals: 0 })}`)]),
    column("Fill ratio", "fill_ratio", "Shares you got ÷ shares expected, over the copied ones.", (row) => optional(row.fill_ratio, (v) => percent(v, { decimals: 0 }))),
    column("Latency", "latency_p50", "Median seconds to your first copy.", (row) => optional(row.latency_p50, (v) => `${v.toFixed(0)} s`)),
    column("Slippage", "slippage_cents", "Cents a share, weighted by shares, + is worse; below it the 95 % interval, fills of one event counted once.",
      (row) => optional(row.slippage_cents, (v) => [cents(v), h("small", { class: "below" }, row.slippage_cents_low === null ? `${count(row.events)} events` : `${cents(row.slippage_cents_low)} to ${cents(row.slippage_cents_high)}`)])),
    column("Cost", "slippage_usd", "Σ slippage × shares in USD, + is worse.", (row) => optional(row.slippage_usd, (v) => money(v, { signed: true }))),
    { name: "Verdict", ...sortable("Verdict", "verdict", "asc"), tip: "What the interval of the slippage says: if it holds 0, the slippage is not distinguishable from zero.",
      cell: (row) => { const [mood, word] = VERDICTS[row.verdict] ?? ["", row.verdict]; return h("span", { class: `tag ${mood}` }, word); } },
  ], rows);
}
