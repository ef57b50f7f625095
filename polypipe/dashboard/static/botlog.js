// What the bot wrote: outcomes, lines that were not understood, and fills on tokens that our files did not have yet.

import { fact, h, table } from "./dom.js";
import { count, instant, money, shortMoney, span, zoneName } from "./format.js";

const at = (text) => h("span", { class: "whole" }, text === null ? "unknown" : instant(Date.parse(text), true));
const scroll = (label, content) => h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, content);

/** The panel's content for the answer of `/api/quality/log`. */
export function botLog(data) {
  if (!data.lines) {
    const last = data.newest === null ? "No line of matches_optimized.csv was ever read: everything else here works without it, but reasons are then inferred from sizes and holdings."
      : `No line in the last ${count(data.days)} days; the newest is of ${instant(Date.parse(data.newest))} ${zoneName(Date.parse(data.newest))}.`;
    return [h("p", { class: "empty" }, last)];
  }
  const m = data.misses;
  const csv = (what, words) => h("a", { class: "button", href: `/api/export.csv?what=${what}&days=${data.days}`, download: "" }, words);
  return [
    h("div", { class: "facts" },
      fact("Lines", data.lines, count, { note: data.newest === null ? "no time could be read" : `newest ${instant(Date.parse(data.newest))}`, formula: `Lines of matches_optimized.csv of the last ${data.days} days: one a fill of the whale.` }),
      fact("Not understood", data.unknown, count, { id: "fact-unknown-lines", mood: data.unknown ? "bad" : null, note: data.problems ? `${count(data.problems)} with a broken column` : "kept with their text",
        formula: "Lines with outcome UNKNOWN: no rule of the log's grammar fits them. They are counted as not known, never dropped." }),
      fact("Cache misses", m?.fills, count, { reason: data.reason, id: "fact-misses", mood: m?.fills ? "bad" : null, note: m ? `${count(m.tokens)} ${m.tokens === 1 ? "token" : "tokens"}, ${shortMoney(m.usd)}` : null,
        formula: "Fills of the whale on tokens that were in none of our files when the bot wrote the line: it had to ask Polymarket itself." }),
      fact("Until in our files", m?.median_seconds_until ?? null, span, { reason: m && !m.fills ? "nothing was missed" : m ? "none of these tokens came into our files" : data.reason,
        note: m?.fills ? `longest ${m.longest_seconds_until === null ? "unknown" : span(m.longest_seconds_until)}; ${count(m.tokens_still_unknown)} never came` : null,
        formula: "Median seconds from the line to the crawl that brought the token. Tokens of no sport never come." })),
    h("div", { class: "actions" }, csv("outcomes", "CSV")),
    scroll("Outcomes", table("What the bot did", [
      { name: "Outcome", cell: (row) => h("span", { class: `tag ${row.outcome === "UNKNOWN" ? "bad" : ""}` }, row.outcome) },
      { name: "Lines", number: true, cell: (row) => count(row.lines) },
      { name: "Whale's USD", number: true, cell: (row) => (row.usd === null ? "unknown" : money(row.usd)) },
    ], data.outcomes)),
    data.missed.length ? h("details", { dataset: { fold: "missed" } }, h("summary", {}, `The newest ${data.missed.length} of ${count(m.fills)} cache misses`), csv("misses", "CSV of all"),
      scroll("Cache misses", table("Fills on tokens that were in none of our files", [
        { name: `line written (${zoneName()})`, cell: (row) => at(row.logged_at) },
        { name: "token", cell: (row) => h("span", { title: row.token_id }, `${row.token_id.slice(0, 10)}…`) },
        { name: "side", cell: (row) => row.side ?? "unknown" },
        { name: "whale's USD", number: true, cell: (row) => (row.whale_usd === null ? "unknown" : money(row.whale_usd)) },
        { name: "outcome", cell: (row) => row.outcome },
        { name: "in our files after", number: true, cell: (row) => (row.seconds_until === null ? "not yet" : span(row.seconds_until)) },
      ], data.missed))) : null,
    data.unknown_lines.length ? h("details", { open: true, dataset: { fold: "unknown" } }, h("summary", {}, `The newest ${data.unknown_lines.length} of ${count(data.unknown)} lines that were not understood`), csv("unknown_lines", "CSV of all"),
      scroll("Lines that were not understood", table("Lines that were not understood", [
        { name: `written (${zoneName()})`, cell: (row) => at(row.logged_at) },
        { name: "line", cell: (row) => h("code", { class: "raw" }, row.raw) },
      ], data.unknown_lines))) : null,
  ];
}
