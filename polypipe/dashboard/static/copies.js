// How fills were copied: key figures, the funnel, and the distributions of slippage and latency.

import { fact, h, svg, table, tip } from "./dom.js";
import { count, money, percent, shortMoney, side } from "./format.js";

const MINUS = "\u2212";
export const cents = (value) => `${value > 0 ? "+" : ""}${value.toFixed(2)}`.replace("-", MINUS).replace(/^[+\u2212]0\.00$/, "0.00") + " ¢";
const seconds = (value) => `${value.toFixed(value < 10 ? 1 : 0)} s`.replace("-", MINUS);
const between = (low, high, write, why) => (low === null ? `95 % interval unknown: ${why}` : `95 %: ${write(low)} to ${write(high)}`);
const MINIMUM = document.body.dataset.minimum;
const REASONS = {
  small: ["too small for the bot", "Fills that the bot never copies by its rule: of fewer shares than its floor, or skipped below its minimum order."],
  probability: ["order below the minimum", `Orders below the bot's minimum of ${MINIMUM}, which it sends by chance: its log or the size says that it did not.`],
  disabled: ["bot switched off", "The bot's log says that it was off or in mock mode."],
  breaker: ["breaker", "Stopped by the bot's breaker or risk rules, as its log says."],
  error: ["error", "Orders that failed, as the bot's log says."],
  unfilled: ["not or partly filled", "Orders that were not filled, as the bot's log says."],
  no_position: ["nothing to sell", "Sales of tokens that the copier did not hold, as the bot's log or the copier's fills say."],
  unknown: ["reason unknown", "Neither the bot's log nor sizes and holdings say why."],
};
const PARTLY = ["filled in part", "The copier got less than 99 % of ratio × the whale's shares."];
const STEPS = {
  whale: ["The whale's fills", "All fills of the whale on these days."],
  eligible: ["Eligible", "Fills that the bot copies by its rule."],
  sent: ["Order sent", "Eligible fills for which an order was sent, as a copier fill or the bot's log shows."],
  filled: ["Filled", "The copier got at least a part, resubmits included."],
  whole: ["Filled in full", "The copier got at least 99 % of ratio × the whale's shares, or sold all that it held."],
  late: ["Of these late", "The first fill came more than 180 s after the whale's, while the bot's order could rest."],
};

/** A number's note and its range, if matches are ambiguous: all of them right, or none. The range alone if they are many. */
function ranged(m, name, write, note) {
  const [value, sure] = [m[name], m[`${name}_sure`]];
  if (value === null || sure === null || write(value) === write(sure)) return note;
  const range = `${write(Math.min(value, sure))} to ${write(Math.max(value, sure))} with ambiguous matches`;
  return m.ambiguous_share > 10 ? range : `${note}; ${range}`;
}
const AMBIGUOUS = "A copy is ambiguous if another whale fill would have fitted nearly as well, or if neither its size nor its delay decides.";

const plainCents = (value) => `${value.toFixed(2)} ¢`;

/** The small panels, for the whole answer. */
export function figures(data) {
  const m = data.metrics;
  const why = m.reasons;
  const { gap, gap_low: low, gap_high: high, gap_interval_reason: whyNot, copier_pnl: copier, expected_pnl: expected, days, days_known: known } = data.attribution;
  const usd = (value) => money(value, { signed: true });
  const zero = m.slippage_cents_low !== null && m.slippage_cents_low <= 0 && m.slippage_cents_high >= 0;
  return [
    fact("Gap", gap, usd, { reason: data.attribution.reason, id: "fact-gap", mood: low > 0 ? "good" : high !== null && high < 0 ? "bad" : null,
      note: gap === null ? null : `${between(low, high, usd, whyNot)}${low === null ? "" : `, ${side(low, high)}`}`, formula: `Copier PnL${gap === null ? "" : ` of ${usd(copier)}`} − ratio × whale PnL${gap === null ? "" : `, which is ${usd(expected)}`}, over ${known} of ${days} days. The interval is from the spread between days.` }),
    fact("Copy rate", m.copy_rate, percent, { reason: why.copy_rate, note: m.copy_rate === null ? null : ranged(m, "copy_rate", percent, between(m.copy_rate_low, m.copy_rate_high, percent, why.copy_rate_low)),
      formula: m.copy_rate === null ? "Eligible fills with a copy ÷ eligible fills." : `Copied ${count(m.copied_fills)} ÷ eligible ${count(m.eligible_fills)}; by USD ${percent(m.copy_rate_usd)}. ${between(m.copy_rate_low, m.copy_rate_high, percent, why.copy_rate_low)}, from the spread between days. ${m.late_fills === null ? "" : `${count(m.late_fills)} came more than 180 s late, ${count(m.joined_fills)} in joined orders.`}` }),
    fact("Ambiguous matches", m.ambiguous_share, percent, { reason: why.ambiguous_share, id: "fact-ambiguous", mood: m.ambiguous_share > 10 ? "bad" : null,
      note: m.ambiguous_share === null ? null : m.ambiguous_share > 50 ? "numbers that depend on them are unknown" : m.ambiguous_share > 0 ? "numbers that depend on them are ranges" : "of the copied fills",
      formula: `${AMBIGUOUS} Numbers that depend on them are ranges (all ambiguous matches right, or none); above 50 % they are unknown.` }),
    fact("Coverage", data.coverage, percent, { reason: data.coverage_reason, note: data.coverage === null ? null : `at the end of ${data.until}${data.exits.incomplete ? `; may be off: ${data.exits.incomplete}` : ""}`,
      formula: "Σ min(copier shares, ratio × the whale's) × price ÷ Σ ratio × the whale's × price, over open tokens worth an order." + (data.coverage === null ? "" : ` ${money(data.coverage / 100 * data.coverage_usd)} of ${money(data.coverage_usd)}.`) }),
    fact("Fill ratio", m.fill_ratio, percent, { reason: why.fill_ratio, note: m.fill_ratio === null ? null : ranged(m, "fill_ratio", percent, m.first_fill_ratio === null ? "first attempt: unknown" : `first attempt: ${percent(m.first_fill_ratio)}`),
      formula: `Copier shares ÷ shares ordered (the expected size, at least the bot's minimum order of ${MINIMUM}), over the ${count(m.copied_fills ?? 0)} copied fills; of a sale at most what the copier held. First attempt: filled ÷ requested in the bot's log${m.first_fill_ratio === null ? `, unknown: ${why.first_fill_ratio}` : ""}.` }),
    fact("Slippage", m.slippage_cents, cents, { reason: why.slippage_cents, id: "fact-slippage", mood: m.slippage_cents_low > 0 ? "bad" : m.slippage_cents_high < 0 && m.slippage_cents_high !== null ? "good" : null,
      note: m.slippage_cents === null ? null : ranged(m, "slippage_cents", cents, m.slippage_cents_low === null ? between(null, null, cents, why.slippage_cents_low) : zero ? "not distinguishable from zero" : `${m.slippage_cents > 0 ? "worse" : "better"} a share, ${money(m.slippage_usd)}`),
      formula: m.slippage_cents === null ? "Sign × (copier price − whale price), weighted by shares; + is worse." : `Sign × (copier price − whale price), weighted by shares; + is worse. ${money(m.slippage_usd)} in all, ${m.slippage_bps.toFixed(0)} bps; ${between(m.slippage_cents_low, m.slippage_cents_high, cents, why.slippage_cents_low)}, from the spread between days.` }),
    fact("Fees", m.copier_fee_cents, plainCents, { reason: why.copier_fee_cents, id: "fact-fees", note: m.whale_fee_cents === null ? "a share; the whale: unknown" : `a share; the whale: ${plainCents(m.whale_fee_cents)}`,
      formula: `Fees of the copies ÷ their shares, in cents. The whale's are over all of its fills${m.whale_fee_cents === null ? `, unknown: ${why.whale_fee_cents}` : ""}. Makers pay none; rebates are paid apart.` }),
    fact("Whale as a maker", m.whale_maker_share, percent, { reason: why.whale_maker_share, id: "fact-maker", note: m.whale_maker_share === null ? null : "of its volume",
      formula: "Volume in USD that the whale traded as a maker ÷ its volume with a known role. What it earns as a maker cannot be copied by a taker." }),
    fact("Break-even edge", m.break_even_cents, cents, { reason: why.break_even_cents, id: "fact-edge", note: m.break_even_percent === null ? null : `${percent(m.break_even_percent)} of the price`,
      formula: "Cost of copying a share: slippage + fees. The whale's edge a share must exceed it." }),
    fact("Latency", m.latency_p50, seconds, { reason: why.latency_p50, note: m.latency_p95 === null ? null : ranged(m, "latency_p50", seconds, `p95: ${seconds(m.latency_p95)}`),
      formula: `Median seconds from the whale's fill to the first copy, over ${count(data.latency.fills ?? 0)} copied fills; block times, accurate to 2 s.` }),
    fact("Shortfall", m.shortfall_usd, usd, { reason: why.shortfall_usd, id: "fact-shortfall",
      note: m.shortfall_bps === null ? null : Math.abs(m.shortfall_usd) < 0.005 ? "as on paper" : `${m.shortfall_usd > 0 ? "worse" : "better"} than on paper`,
      formula: `Slippage + Σ sign × (expected − got) × (price at the end − the whale's price) + fees; + is worse than on paper.${m.shortfall_usd === null || m.slippage_usd === null ? "" : ` ${usd(m.slippage_usd)} of it is slippage, ${usd(m.shortfall_usd - m.slippage_usd)} the rest.`}${m.shortfall_bps === null ? "" : ` ${count(m.shortfall_bps)} bps of the expected cost.`}${m.unmarked_usd ? ` ${money(m.unmarked_usd)} of it in markets without a known result.` : ""}` }),
  ];
}

/** The panel's content for the answer's `funnel`. */
export function funnel(found) {
  if (found.reason !== null) return [h("p", { class: "empty" }, "Unknown: ", found.reason)];
  const all = found.steps[0].fills;
  if (!all) return [h("p", { class: "empty" }, "The whale did not trade on these days.")];
  const bar = (start, fills, look) => svg("svg", { class: `fall ${look}`, viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: 100 * start / all, width: Math.max(100 * fills / all, 0.4), y: 1.5, height: 7 }));
  const rows = [];
  found.steps.forEach((step, place) => {
    const before = found.steps[place - 1];
    const formula = `${STEPS[step.step][1]} ${count(step.fills)} of ${count(before?.fills ?? all)}, worth ${money(step.usd)} at the whale's prices.`;
    rows.push({ name: h("span", { class: "named" }, STEPS[step.step][0], tip(formula)), picture: bar(0, step.fills, "end"), ...step, share: step.fills / all });
    let start = step.fills;
    for (const lost of found.lost.filter((one) => one.after === step.step)) {
      start -= lost.fills;
      const [words, meaning] = lost.after === "filled" ? PARTLY : REASONS[lost.reason] ?? [lost.reason, "A reason without a description; the tables have this name."];
      const share = `${meaning} ${count(lost.fills)} of the ${count(step.fills)} of the step above, worth ${money(lost.usd)} at the whale's prices.`;
      rows.push({ lost: true, name: h("span", { class: "named" }, `lost: ${words}`, tip(share)), picture: bar(start, lost.fills, "bad"), fills: lost.fills, usd: lost.usd, share: lost.fills / all });
    }
  });
  if (found.late?.fills) {
    const formula = `${STEPS.late[1]} ${count(found.late.fills)} of the ${count(found.steps.find((step) => step.step === "filled").fills)} filled ones, worth ${money(found.late.usd)} at the whale's prices.`;
    rows.push({ name: h("span", { class: "named" }, STEPS.late[0], tip(formula)), picture: bar(0, found.late.fills, "bad"), ...found.late, share: found.late.fills / all });
  }
  return [table("How far the whale's fills came", [
    { name: "Step", cell: (row) => row.name },
    { name: "", cell: (row) => row.picture },
    { name: "Fills", number: true, cell: (row) => (row.lost ? `${MINUS}${count(row.fills)}` : count(row.fills)) },
    { name: "of all", number: true, cell: (row) => percent(100 * row.share, { decimals: 0 }) },
    { name: "USD", number: true, title: "the whale's shares × its price", cell: (row) => shortMoney(row.usd) },
  ], rows, { rowClass: (row) => (row.lost ? "lost" : null) })];
}

const KINDS = {
  slippage: { write: cents, marks: (m) => [["p50", m.slippage_p50], ["p95", m.slippage_p95]], unit: "cents a share, + is worse" },
  latency: { write: seconds, marks: (m) => [["p50", m.latency_p50], ["p95", m.latency_p95], ["p99", m.latency_p99]], unit: "seconds from the whale's fill to the first copy" },
};

const span = (bar, write) => (bar.low === null ? `below ${write(bar.high)}` : bar.high === null ? `${write(bar.low)} and more` : `${write(bar.low)} to ${write(bar.high)}`);

/** The panel's content for one distribution. `drawBars` draws the picture once its width is known. */
export function distribution(kind, found, metrics) {
  if (found.reason !== null) return [h("p", { class: "empty" }, "Unknown: ", found.reason)];
  const { write, marks, unit } = KINDS[kind];
  const words = marks(metrics).filter(([, value]) => value !== null).map(([name, value]) => `${name} ${write(value)}`).join(" · ");
  return [
    h("p", { class: "readout" }, h("span", {}, `${count(found.fills)} copied fills`), h("b", {}, words)),
    h("div", { class: "histogram", role: "img", "aria-label": `Distribution of ${kind}, ${unit}: ${words}. The table below has the numbers.`, dataset: { kind } }),
    h("details", {}, h("summary", {}, `As a table (${unit})`), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${kind}: table` },
      table(`Copied fills by ${kind}`, [
        { name: kind, whole: true, cell: (bar) => span(bar, write) },
        { name: "fills", number: true, cell: (bar) => count(bar.fills) },
        { name: "share", number: true, cell: (bar) => percent(100 * bar.fills / found.fills) },
      ], found.bars.filter((bar) => bar.fills)))),
  ];
}

/** Draw a distribution at the current width of its box. */
export function drawBars(box, found, metrics) {
  const { write, marks } = KINDS[box.dataset.kind];
  const [width, height, foot, head] = [box.clientWidth, 190, 22, 16];
  if (!width || !found.bars.length) return;
  const step = found.bars.map((bar) => bar.high - bar.low).find((_, place) => found.bars[place].low !== null && found.bars[place].high !== null) ?? 1;
  const start = found.bars[0].low ?? found.bars[0].high - step;
  const end = start + step * found.bars.length;
  const x = (value) => Math.max(0, Math.min(width, width * (value - start) / (end - start)));
  const most = Math.max(...found.bars.map((bar) => bar.fills));
  const y = (fills) => head + (height - foot - head) * (1 - fills / most);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  found.bars.forEach((bar, place) => {
    const [left, right] = [x(start + step * place), x(start + step * (place + 1))];
    const look = box.dataset.kind === "latency" ? "end" : (bar.high ?? Infinity) <= 0 ? "good" : "bad";
    const exact = box.dataset.kind === "slippage" && bar.low === 0 ? "end" : look;
    picture.append(svg("rect", { class: exact, x: left + 1, width: Math.max(1, right - left - 2), y: y(bar.fills), height: Math.max(bar.fills ? 1.5 : 0, height - foot - y(bar.fills)) },
      svg("title", {}, `${span(bar, write)}: ${count(bar.fills)} fills`)));
  });
  picture.append(svg("line", { class: "base", x1: 0, x2: width, y1: height - foot, y2: height - foot }));
  const every = Math.ceil(found.bars.length / Math.max(2, Math.floor(width / 70)));
  for (let place = 0; place <= found.bars.length; place += every) {
    const anchor = place === 0 ? "start" : place === found.bars.length ? "end" : "middle";
    picture.append(svg("text", { x: x(start + step * place), y: height - 6, "text-anchor": anchor }, write(start + step * place)));
  }
  let taken = -Infinity;
  for (const [name, value] of marks(metrics)) {
    if (value === null) continue;
    const at = x(value);
    picture.append(svg("line", { class: "mark", x1: at, x2: at, y1: head - 2, y2: height - foot }));
    if (at - taken > 30) picture.append(svg("text", { x: Math.min(at, width - 22), y: 11, "text-anchor": at < 14 ? "start" : "middle", class: "mark" }, name));
    taken = at;
  }
  box.replaceChildren(picture);
}
