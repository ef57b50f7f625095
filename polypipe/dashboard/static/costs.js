// What copying costs a share: delay, spread and impact, size; and what the whale's fills are worth some seconds later.

import { h, svg, table, unknown } from "./dom.js";
import { count, money, percent } from "./format.js";
import { cents } from "./copies.js";

const usd = (value) => money(value, { signed: true });
const ratio = (value) => `${+value.toPrecision(3)}`;
const scrolled = (name, ...rest) => h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, table(name, ...rest));
const below = (words) => h("small", { class: "below" }, words);

/** A table of the numbers with their intervals, from the answer's `metrics`. */
export function costs(m) {
  const interval = (name, write) => {
    const [low, high] = [m[`${name}_low`] ?? null, m[`${name}_high`] ?? null];
    if (m[name] === null || low === null) return m[name] === null ? null : h("span", { class: "muted" }, m.reasons[`${name}_low`] ?? "");
    return [`${write(low)} to ${write(high)}`, low <= 0 && high >= 0 ? below("not distinguishable from zero") : null];
  };
  const row = (words, name, write, sum) => ({ words, value: m[name] === null ? unknown(m.reasons[name] ?? "no reason recorded", { brief: true }) : write(m[name]), sum: sum && m[sum] !== null ? below(usd(m[sum])) : null, range: interval(name, write) });
  const split = m.split_share === null ? "No slippage is split." : `Delay, spread and impact cover ${percent(m.split_share, { decimals: 0 })} of the copied shares.`;
  return [scrolled("What copying costs a share", [
    { name: "number", cell: (one) => one.words },
    { name: "a share", number: true, cell: (one) => [one.value, one.sum] },
    { name: "95 %", number: true, cell: (one) => one.range },
  ], [
    row("Slippage (+ is worse)", "slippage_cents", cents, "slippage_usd"),
    row("Slippage: delay", "delay_cents", cents, "delay_usd"),
    row("Slippage: spread and impact", "impact_cents", cents, "impact_usd"),
    row("Slippage: rise per 100 shares of an order", "size_slope", cents),
    row("Saving at half the latency", "half_latency_usd", usd),
    row("Break-even edge", "break_even_cents", cents),
    row("Edge of the whale", "edge_cents", cents),
    row("Ratio at which one more share costs the edge", "marginal_ratio", ratio),
  ]), h("p", { class: "muted" }, split)];
}

/** The markouts as a curve with its band and as a table, from the whole answer. */
export function markouts(data) {
  const found = data.markouts;
  if (!found.length) return [h("p", { class: "empty" }, "Unknown: ", data.metrics.reasons.whale_fills ?? "this day was computed before polypipe had this number: materialize copy_metrics_daily")];
  const known = found.filter((one) => one.cents !== null);
  const range = (one) => (one.cents_low === null ? h("span", { class: "muted" }, `${count(one.events)} ${one.events === 1 ? "event" : "events"}`) : `${cents(one.cents_low)} to ${cents(one.cents_high)}`);
  return [known.length > 1 ? curve(known) : null, scrolled("Markouts of the whale's fills", [
    { name: "after", whole: true, cell: (one) => `${one.seconds} s` },
    { name: "a share", number: true, cell: (one) => (one.cents === null ? unknown("no fill has a quote in that time", { brief: true }) : cents(one.cents)) },
    { name: "95 %", number: true, cell: range },
    { name: "fills with a quote", number: true, cell: (one) => `${count(one.known_fills)} of ${count(one.fills)}` },
  ], found)].filter(Boolean);
}

/** The horizons at equal distances; the band is the 95 % interval where there is one. */
function curve(points) {
  const [width, height, foot] = [300, 110, 16];
  const ends = points.map((one) => [one.cents_low ?? one.cents, one.cents_high ?? one.cents]);
  const [low, high] = [Math.min(0, ...ends.flat()), Math.max(0, ...ends.flat())];
  const x = (place) => 16 + (width - 32) * place / (points.length - 1);
  const y = (value) => 6 + (height - foot - 12) * (high - value) / (high - low || 1);
  const line = (values) => values.map((value, place) => `${x(place)},${y(value)}`);
  return svg("svg", { class: "markouts", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Markouts of the whale's fills; the table below has the numbers" },
    svg("polygon", { class: "band", points: [...line(ends.map((end) => end[1])), ...line(ends.map((end) => end[0])).reverse()].join(" ") }),
    svg("line", { class: "base", x1: 0, x2: width, y1: y(0), y2: y(0) }),
    svg("polyline", { class: "curve", points: line(points.map((one) => one.cents)).join(" ") }),
    points.map((one, place) => svg("text", { x: x(place), y: height - 3, "text-anchor": "middle" }, `${one.seconds} s`)));
}
