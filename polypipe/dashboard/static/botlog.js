// The bot's log: outcomes, unparsed lines, and fills in tokens that our files did not have yet.

import { fact, h, table } from "./dom.js";
import { count, instant, money, shortMoney, span, zoneName } from "./format.js";

const at = (text) => h("span", { class: "whole" }, text === null ? "unknown" : instant(Date.parse(text), true));
const scroll = (label, content) => h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, content);

/** The panel's content for the answer of `/api/quality/log`. */
export function botLog(data) {
  if (!data.lines) {
    const last = data.newest === null ? "No line of matches_optimized.csv has been read. The page works without it, but infers reasons from sizes and holdings."
      : `No line in the last ${count(data.days)} days; the newest is from ${instant(Date.parse(data.newest))} ${zoneName(Date.parse(data.newest))}.`;
    return [h("p", { class: "empty" }, last)];
  }
  const m = data.misses;
  const csv = (what, words) => h("a", { class: "button", href: `/api/export.csv?what=${what}&days=${data.days}`, download: "" }, words);
  return [
    h("div", { class: "facts" },
      fact("Lines", data.lines, count, { note: data.newest === null ? "no readable time" : `newest ${instant(Date.parse(data.newest))}`, formula: `Lines of matches_optimized.csv in the last ${data.days} days, one for each whale fill.` }),
      fact("Not parsed", data.unknown, count, { id: "fact-unknown-lines", mood: data.unknown ? "bad" : null, note: data.problems ? `${count(data.problems)} with a broken column` : "stored with their text",
        formula: "Lines with outcome UNKNOWN: no rule of the log's grammar matches. They count as unknown and are never dropped." }),
      fact("Cache misses", m?.fills, count, { reason: data.reason, id: "fact-misses", mood: m?.fills ? "bad" : null, note: m ? `${count(m.tokens)} ${m.tokens === 1 ? "token" : "tokens"}, ${shortMoney(m.usd)}` : null,
        formula: "Whale fills in tokens that were in none of our files when the bot wrote the line, so it had to ask Polymarket itself." }),
      fact("Cache delay", m?.median_seconds_until ?? null, span, { reason: m && !m.fills ? "no whale fill was missed" : m ? "none of these tokens reached our files" : data.reason,
        note: m?.fills ? `longest ${m.longest_seconds_until === null ? "unknown" : span(m.longest_seconds_until)}; ${count(m.tokens_still_unknown)} still missing` : null,
        formula: "Median seconds from the line to the crawl that found the token. Tokens outside sports never reach our files." })),
    h("div", { class: "actions" }, csv("outcomes", "CSV")),
    scroll("Outcomes", table("What the bot did", [
      { name: "Outcome", cell: (row) => h("span", { class: `tag ${row.outcome === "UNKNOWN" ? "bad" : ""}` }, row.outcome) },
      { name: "Lines", number: true, cell: (row) => count(row.lines) },
      { name: "Whale's USD", number: true, cell: (row) => (row.usd === null ? "unknown" : money(row.usd)) },
    ], data.outcomes)),
    data.missed.length ? h("details", { dataset: { fold: "missed" } }, h("summary", {}, `The newest ${data.missed.length} of ${count(m.fills)} cache misses`), csv("misses", "CSV of all"),
      scroll("Cache misses", table("Fills in tokens that were in none of our files", [
        { name: `line written (${zoneName()})`, cell: (row) => at(row.logged_at) },
        { name: "token", cell: (row) => h("span", { title: row.token_id }, `${row.token_id.slice(0, 10)}…`) },
        { name: "side", cell: (row) => row.side ?? "unknown" },
        { name: "whale's USD", number: true, cell: (row) => (row.whale_usd === null ? "unknown" : money(row.whale_usd)) },
        { name: "outcome", cell: (row) => row.outcome },
        { name: "in our files after", number: true, cell: (row) => (row.seconds_until === null ? "not yet" : span(row.seconds_until)) },
      ], data.missed))) : null,
    data.unknown_lines.length ? h("details", { open: true, dataset: { fold: "unknown" } }, h("summary", {}, `The newest ${data.unknown_lines.length} of ${count(data.unknown)} unparsed lines`), csv("unknown_lines", "CSV of all"),
      scroll("Unparsed lines", table("Unparsed lines", [
        { name: `written (${zoneName()})`, cell: (row) => at(row.logged_at) },
        { name: "line", cell: (row) => h("code", { class: "raw" }, row.raw) },
      ], data.unknown_lines))) : null,
  ];
}
