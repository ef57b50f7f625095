// Uncopied exits: positions the whale had left and the copier still held at the end of the last day shown.

import { h, table } from "./dom.js";
import { count, instant, money, span, zoneName } from "./format.js";

const OLD_PRICE_HOURS = 24;

/** The panel's content for the answer's `exits`. */
export function radar(found) {
  if (found.reason !== null) return [h("p", { class: "empty" }, "Unknown: ", found.reason)];
  const at = Date.parse(found.as_of);
  const more = found.tokens > found.rows.length ? `; the ${found.rows.length} largest are shown, the CSV has all` : "";
  const words = `${count(found.tokens)} ${found.tokens === 1 ? "token" : "tokens"}, ${money(found.usd)} at risk at ${instant(at)} ${zoneName(at)}${more}`;
  const incomplete = found.incomplete === null ? null : h("p", { class: "notice warn" }, `Exits may be missing: ${found.incomplete}.`);
  if (!found.rows.length) return [incomplete, h("p", { class: "empty" }, `None at ${instant(at)} ${zoneName(at)}: every known exit of the whale was copied.`)];
  return [
    incomplete,
    h("p", { class: "sub" }, words),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Uncopied exits" }, table("Uncopied exits, most USD at risk first", [
      { name: "Market", cell: market },
      { name: "At risk", number: true, tip: "Excess shares × the last known price, in USD.", cell: (row) => h("b", {}, money(row.usd)) },
      { name: "Age", number: true, tip: "From the first sale that was not copied to the end of the day.", cell: (row) => span(3600 * row.age_hours) },
      { name: `Since (${zoneName()})`, whole: true, cell: (row) => h("span", { class: "whole" }, instant(Date.parse(row.since))) },
      { name: "Shares", number: true, tip: "Copier shares beyond ratio × the whale's shares.", cell: (row) => count(row.shares, 1) },
      { name: "Price", number: true, tip: "The last price known at the end of the day, from a fill or a listing of positions.", cell: price },
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
  return [`${+(100 * row.price).toFixed(2)}¢`, old ? h("small", { class: "bad-word", title: "an old price usually means that the game is over and the shares are not redeemed yet" }, ` ${span(3600 * row.price_age_hours)} old`) : null];
}
