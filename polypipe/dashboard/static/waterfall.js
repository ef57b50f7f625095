// Attribution: from ratio x whale PnL to copier PnL, part by part, as a table with bars.

import { h, svg, tip, unknown } from "./dom.js";
import { count, money } from "./format.js";

export const PARTS = {
  slippage: ["Slippage", "−Σ sign × copier shares × (copier price − whale price) over the fills of these days."],
  missed_small: ["Missed: fill too small", "Shares not bought because the bot's rule does not copy so small a fill, × the move of their price while they were missing."],
  missed_probability: ["Missed: order below the minimum", "Orders below the bot's minimum, which it sends by chance: missing shares × the move of their price."],
  missed_disabled: ["Missed: bot switched off", "The bot's log says it was off or in mock mode: missing shares × the move of their price."],
  missed_breaker: ["Missed: breaker", "Stopped by the bot's breaker or risk rules, as its log says: missing shares × the move of their price."],
  missed_error: ["Missed: error", "Orders that failed, as the log says: missing shares × the move of their price."],
  missed_unfilled: ["Missed: not or partly filled", "Orders filled in part or not at all: missing shares × the move of their price."],
  missed_unknown: ["Missed: reason unknown", "Not copied, and neither the log nor sizes say why: missing shares × the move of their price."],
  excess: ["More than the ratio", "Shares copied beyond ratio × the whale's, including the bot's factor 1.25 for large purchases, × the move of their price."],
  own: ["Own trades", "Copier trades that copy nothing: shares × the move of their price while they were open."],
  uncopied_exits: ["Uncopied exits", "Shares that the whale had left, by a sale or by buying the other outcome, and the copier still held × the move of their price since."],
  moved: ["Moved without a trade", "Shares that left a wallet without a trade, for another address of its owner: the difference that this leaves × the move of their price since."],
  combos: ["Combos (cannot be copied)", "PnL of the copier's combos − ratio × PnL of the whale's. Combos are traded by request for quote, not on the book; they count at cost until they are decided."],
  fees: ["Fees and rebates", "Ratio × the whale's fees − the copier's fees in copies; rebates count with the opposite sign."],
  ratio_change: ["Copied at an earlier ratio", "Shares still held from before a change of the ratio: (Σ ratio of each fill × its shares − ratio in effect × the whale's shares) × the move of their price, hour by hour."],
  unexplained: ["Unexplained", "The measured gap − all parts above: what known prices and fills do not account for."],
};

/** The panel's content for the answer's `attribution`. */
export function waterfall(found) {
  if (found.gap === null) return [h("p", { class: "empty" }, "Unknown: ", found.reason), unknownDays(found)];
  // The answer is in whole cents that add up.
  const [from, to, ...cents] = [found.expected_pnl, found.copier_pnl, ...found.parts.map((part) => part.usd)].map((usd) => Math.round(100 * usd));
  const levels = [from];
  for (const one of cents) levels.push(levels.at(-1) + one);
  const [low, high] = [Math.min(0, ...levels), Math.max(0, ...levels)];
  const x = (value) => 100 * (value - low) / (high - low || 1);
  const bar = (start, end, look) => svg("svg", { class: `fall ${look}`, viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { x1: x(0), x2: x(0), y1: 0, y2: 10 }),
    svg("rect", { x: Math.min(x(start), x(end)), width: Math.max(Math.abs(x(end) - x(start)), 0.4), y: 1.5, height: 7 }));
  const row = (name, formula, picture, amount, word, kind = null) => h("tr", { class: kind }, h("th", { scope: "row" }, h("span", { class: "named" }, name, tip(formula))),
    h("td", { class: "drawn" }, picture), h("td", { class: `n ${word === "better" ? "good" : word === "worse" ? "bad" : ""}` }, amount, h("small", { class: "muted" }, ` ${word}`)));
  const usd = (value) => money(value / 100, { signed: true });
  const over = `over ${count(found.days_known)} of ${count(found.days)} days`;
  const ratio = found.ratio_low === found.ratio_high ? `${+(100 * found.ratio_low).toFixed(4)} %` : `the ratio of each hour (${+(100 * found.ratio_low).toFixed(4)} to ${+(100 * found.ratio_high).toFixed(4)} %)`;
  return [
    h("table", { class: "waterfall" }, h("caption", { class: "hidden" }, "From expected PnL to copier PnL, in USD"),
      h("thead", { class: "hidden" }, h("tr", {}, ["part", "drawn", "USD"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {},
        row("Expected", `${ratio} × whale PnL of ${money(found.whale_pnl, { signed: true })}, hour by hour, ${over}.`, bar(0, from, "end"), usd(from), from < 0 ? "to lose" : "to make", "total"),
        found.parts.map((part, place) => row(PARTS[part.part][0], `${PARTS[part.part][1]} Summed ${over}; cents are rounded so that the parts add up.${part.unknown ? ` It is ${part.unknown}; what it is then is in the unexplained part.` : ""}`,
          bar(levels[place], levels[place + 1], part.part === "unexplained" ? "open" : cents[place] < 0 ? "bad" : "good"),
          part.unknown && !cents[place] ? unknown(part.unknown, { brief: true }) : usd(cents[place]),
          part.unknown ? (cents[place] ? "in part" : "") : cents[place] < 0 ? "worse" : cents[place] > 0 ? "better" : "nothing", part.part)),
        row("Copier PnL", `Measured copier PnL, ${over}: expected ${usd(from)} and a gap of ${usd(to - from)}.`, bar(0, to, "end"), usd(to), to < 0 ? "lost" : "made", "total"))),
    unknownDays(found),
    notes(found),
    h("p", { class: "muted", id: "fees-in-pnl" }, `${found.fees_in_pnl[0].toUpperCase()}${found.fees_in_pnl.slice(1)}.`),
    h("p", { class: "muted" }, `Rewards and rebates, not part of position PnL: ${money(found.copier_income)} to the copier, ${money(found.whale_income)} to the whale.`),
  ];
}

function unknownDays(found) {
  if (!found.unknown.length) return null;
  return h("details", { class: "left-out", open: found.unknown.length <= 3 },
    h("summary", {}, `${count(found.unknown.length)} of ${count(found.days)} days left out: their gap is unknown`),
    h("ul", {}, found.unknown.map((one) => h("li", {}, `${one.day}: ${one.reason}`))));
}

function notes(found) {
  const sizes = found.parts.map((part) => Math.abs(part.usd));
  const most = sizes.at(-1) >= 0.01 && sizes.at(-1) > sizes.slice(0, -1).reduce((sum, usd) => sum + usd, 0);
  const list = h("ul", {}, found.notes.map((one) => h("li", {}, `${one.note} (${count(one.days)} ${one.days === 1 ? "day" : "days"}${one.usd === null ? "" : `, ${money(one.usd, { signed: true })}`})`)));
  if (most) return h("div", { class: "notice warn" }, `The unexplained part is larger than all causes together${found.notes.length ? ":" : ", for no known reason."}`, found.notes.length ? list : null);
  return found.notes.length ? h("details", {}, h("summary", {}, "Contents of the unexplained part"), list) : null;
}
