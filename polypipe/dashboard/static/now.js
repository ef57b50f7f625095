// Section "Now": the gauge of the gap, and the cards. An unknown number is grey with its reason, never zero.

import { $, h, redraw, svg, tip, unknown } from "./dom.js";
import { SIDES, count, counted, instant, money, percent, shortMoney, span, zoneName } from "./format.js";
import { now } from "./net.js";

const SIGNS = { ahead: "▲", behind: "▼", not_distinguishable: "◆" };

/** The cards: field, format, sources, and the formula in the tip. Colours and words on shares follow the verdict on the gap. */
function cards(s, who) {
  const ratio = s.scaling_ratio ?? who.ratio;
  const share = `${+(100 * ratio).toFixed(4)} %`;
  const losing = s.pnl_efficiency === null && s.loss_share !== null;
  return [
    {
      id: "efficiency", title: losing ? "Loss share" : "Efficiency", field: losing ? "loss_share" : "pnl_efficiency",
      write: (v) => percent(v), mood: () => ({ ahead: "good", behind: "bad" })[s.verdict],
      word: (v) => v < 0
        ? losing ? "gained while the whale lost" : "lost while the whale gained"
        : {
          ahead: losing ? "lost less than its share" : "more than its share",
          behind: losing ? "lost more than its share" : "less than its share",
          not_distinguishable: "not distinguishable from its share",
        }[s.verdict],
      sources: ["user1_pnl", "user2_pnl"],
      formula: losing
        ? `100 × copier PnL ÷ (${share} × whale PnL), while the whale loses. Below 100 % is good.`
        : `100 × copier PnL ÷ (${share} × whale PnL), if the divisor is above ${money(s.guard_usd ?? 5)}.`,
    },
    {
      id: "actual", title: `${who.copier}: actual PnL`, field: "user1_pnl", write: (v) => money(v, { signed: true }),
      sources: ["user1_pnl"], point: "user1_pnl_age", formula: "Copier PnL over the last 24 h for which both wallets have hourly points.",
    },
    {
      id: "expected", title: "Expected PnL", field: "expected_pnl", write: (v) => money(v, { signed: true }),
      word: () => (s.user2_pnl === null ? "" : `${share} of ${shortMoney(s.user2_pnl, { signed: true })}`),
      sources: ["user2_pnl"], point: "user2_pnl_age", formula: `${share} × whale PnL over the same hours.`,
    },
    {
      id: "coverage", title: "Coverage", field: "coverage", write: (v) => percent(v), sources: [],
      word: (v, x) => (x?.summary ? `${count(x.summary.missed)} missed, ${counted(x.summary.orphan, "orphan")}` : ""),
      formula: "Held ÷ expected, by value. Each token counts at most in full; positions below the minimum order are left out.",
    },
    {
      id: "value1", title: `${who.copier}: portfolio`, field: "user1_value", write: (v) => shortMoney(v),
      word: () => "positions, without cash", sources: ["user1_value"], formula: "Value of the positions, without cash.",
    },
    {
      id: "value2", title: `${who.whale}: portfolio`, field: "user2_value", write: (v) => shortMoney(v),
      word: () => "positions, without cash", sources: ["user2_value"], formula: "Value of the positions, without cash.",
    },
    {
      id: "rank1", title: `${who.copier}: rank`, field: "user1_rank", write: (v) => `#${count(v)}`,
      word: () => (s.user1_volume === null ? "" : `${shortMoney(s.user1_volume)} traded`), sources: ["user1_standing"], flip: true,
      formula: "Rank on the day's leaderboard by PnL, and the day's volume.",
    },
    {
      id: "rank2", title: `${who.whale}: rank`, field: "user2_rank", write: (v) => `#${count(v)}`,
      word: () => (s.user2_volume === null ? "" : `${shortMoney(s.user2_volume)} traded`), sources: ["user2_standing"], flip: true,
      formula: "Rank on the day's leaderboard by PnL, and the day's volume.",
    },
  ];
}

/** Draw the section. `day` is the history of the last 24 h in columns, `positions` the newest comparison; both may be null. */
export function drawNow(latest, day, positions, who) {
  const section = $("now");
  section.classList.remove("loading");
  $("now-sub").replaceChildren(...windowWords(latest));
  redraw($("gauge"), gauge(latest, day));
  const context = { ...latest, coverage: positions?.summary?.coverage ?? null };
  const reasons = { ...latest.reasons, coverage: positions?.reasons?.coverage ?? "positions were not compared yet" };
  const made = cards(context, who).map((card) => drawCard(card, context, reasons, day, positions));
  redraw($("cards"), ...made);
  tick(latest, positions);
}

function windowWords(latest) {
  if (latest.window_start === null) return ["rolling 24 h"];
  const [start, end] = [Date.parse(latest.window_start), Date.parse(latest.window_end)];
  return [`${instant(start)} to ${instant(end)} ${zoneName(end)} · ${+latest.hours_covered.toFixed(2)} h, hourly points`];
}

function drawCard(card, s, reasons, day, positions) {
  const value = s[card.field];
  const known = value !== null && value !== undefined;
  const word = known ? card.word?.(value, positions) : null;
  return h("article", { class: `panel card ${known ? card.mood?.(value) ?? "" : "is-unknown"}`, id: `card-${card.id}`, dataset: { field: card.field } },
    h("h3", {}, card.title, tip(about(card, s))),
    h("p", { class: "value" }, known ? card.write(value) : unknown(reasons[card.field] ?? "no reason recorded")),
    word ? h("p", { class: "word" }, word) : null,
    sparkline(day, card.field, card.flip),
    h("p", { class: "age", dataset: { sources: card.sources.join(" "), card: card.id } }));
}

function about(card, s) {
  const point = card.point && s[card.point] !== null && s[card.point] !== undefined ? ` Its newest hourly point was ${span(s[card.point])} old.` : "";
  return card.formula + point;
}

/** A line of the last 24 h, broken where the number is unknown. */
export function sparkline(day, field, flip = false) {
  const values = day?.columns?.[field];
  const [width, height] = [160, 34];
  const picture = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const known = values?.filter((value) => value !== null) ?? [];
  if (known.length < 2) return picture;
  const [start, end] = [Date.parse(day.from), Date.parse(day.to)];
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const x = (t) => ((t - start) / (end - start)) * width;
  const y = (v) => (flip ? (v - low) : (high - v)) / (high - low) * (height - 4) + 2;
  if (low < 0 && high > 0) picture.append(svg("line", { class: "zero", x1: 0, x2: width, y1: y(0), y2: y(0) }));
  let path = "";
  let pen = false;
  values.forEach((value, place) => {
    if (value === null) { pen = false; return; }
    path += `${pen ? "L" : "M"}${x(day.t[place]).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = true;
  });
  picture.append(svg("path", { d: path }));
  return picture;
}

function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 5, 7.5, 10].map((m) => m * power).find((m) => m >= value) ?? 10 * power;
}

function gauge(s, day) {
  const gap = s.pnl_vs_expected;
  const known = gap !== null;
  const mood = known && s.verdict === "unknown" ? "measured" : s.verdict;
  const half = s.gap_low === null ? 0 : (s.gap_high - s.gap_low) / 2; // within it, a gap is not distinguishable from zero
  const past = (day?.columns?.pnl_vs_expected ?? []).filter((value) => value !== null).map(Math.abs);
  const scale = niceAbove(Math.max(1.2 * half, 2 * (s.guard_usd ?? 5), 1.1 * Math.abs(gap ?? 0), ...(past.length ? [Math.max(...past)] : [])));
  const [cx, cy, r] = [150, 138, 112];
  const angle = (usd) => Math.PI * (1 - (Math.max(-1, Math.min(1, usd / scale)) + 1) / 2);
  const at = (usd, radius) => [cx + radius * Math.cos(angle(usd)), cy - radius * Math.sin(angle(usd))];
  const arc = (from, to, radius = r) => {
    const [x1, y1] = at(Math.min(from, to), radius);
    const [x2, y2] = at(Math.max(from, to), radius);
    return `M${x1.toFixed(2)} ${y1.toFixed(2)}A${radius} ${radius} 0 0 1 ${x2.toFixed(2)} ${y2.toFixed(2)}`;
  };
  const picture = svg("svg", { viewBox: "0 0 300 158", class: `dial ${mood}`, "aria-hidden": "true" },
    svg("path", { class: "track", d: arc(-scale, scale) }),
    half > 0 ? svg("path", { class: "band", d: arc(-half, half, r - 15) }) : null);
  for (const usd of [-scale, -scale / 2, 0, scale / 2, scale]) {
    const [x1, y1] = at(usd, r + 10);
    const [x2, y2] = at(usd, r + 15);
    picture.append(svg("line", { class: "notch", x1, y1, x2, y2 }));
  }
  if (known) {
    if (Math.abs(gap) > scale / 400) picture.append(svg("path", { class: "fill", d: arc(0, gap) }));
    const [x1, y1] = at(gap, r - 24);
    const [x2, y2] = at(gap, r + 12);
    picture.append(svg("line", { class: "needle", x1, y1, x2, y2 }));
  }
  const compact = (usd) => money(usd, { signed: true, decimals: scale >= 10 ? 0 : 2 });
  picture.append(
    svg("text", { x: cx - r, y: 156, class: "end" }, compact(-scale)),
    svg("text", { x: cx + r, y: 156, class: "end" }, compact(scale)),
    svg("text", { x: cx, y: 12, class: "end" }, "0"));
  return h("div", { class: `reading ${mood}` },
    picture,
    h("div", { class: "big" },
      h("p", { class: "value", id: "gap" }, known ? money(gap, { signed: true }) : "unknown"),
      h("p", { class: "word" }, ...sentence(s)),
      known ? h("p", { class: "below" }, interval(s)) : null),
    sparkline(day, "pnl_vs_expected"),
    h("p", { class: "age", dataset: { sources: "user1_pnl user2_pnl", card: "gap" } }));
}

/** What the gap may be called; a gap without an interval is a number and nothing else. */
function sentence(s) {
  if (s.verdict === "unknown") return [s.pnl_vs_expected === null ? s.verdict_reason ?? "" : "measured over these 24 h"];
  return [h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[s.verdict]), " ", SIDES[s.verdict]];
}

function interval(s) {
  if (s.gap_low === null) return `95 % interval unknown: ${s.verdict_reason}`;
  const [low, high] = [s.gap_low, s.gap_high].map((usd) => money(usd, { signed: true }));
  return `95 %: ${low} to ${high}, from the spread of ${counted(s.gap_interval_days, "day")}`;
}

/** Update the ages: amber from two thirds of the limit, red above it. */
export function tick(latest, positions) {
  const present = now();
  const limit = latest.stale_after_seconds;
  for (const node of document.querySelectorAll("#now .age")) {
    let asked = node.dataset.sources.split(" ").filter(Boolean).map((name) => latest.sources?.[name]?.answered_at ?? null);
    let slow = limit;
    if (node.dataset.card === "coverage") {
      asked = [positions?.compared_at ?? null];
      slow = 20 * 60;
    }
    if (!asked.length || asked.includes(null)) {
      node.textContent = node.dataset.card === "coverage" ? "not compared yet" : latest.timestamp === null ? "no answer yet" : "no answer recorded";
      node.dataset.state = "none";
      continue;
    }
    const age = (present - Math.min(...asked.map(Date.parse))) / 1000;
    node.dataset.state = age > slow ? "red" : age > slow * 2 / 3 ? "amber" : "fresh";
    node.textContent = `${span(age)} ago${age > slow ? ", stale" : ""}`;
  }
}

/** The present problem in one sentence, or null. */
export function trouble(latest, silentSeconds) {
  if (latest.timestamp === null) return { level: "wait", text: latest.verdict_reason };
  const age = (now() - Date.parse(latest.timestamp)) / 1000;
  const time = `${instant(Date.parse(latest.timestamp))} ${zoneName(Date.parse(latest.timestamp))}`;
  if (age > latest.stale_after_seconds) return { level: "bad", text: `Stale: the newest snapshot is ${span(age)} old (${time}). All numbers are from that time.` };
  const sources = Object.values(latest.sources ?? {});
  const dead = sources.filter((source) => !source.ok);
  if (sources.length && dead.length === sources.length) {
    const last = Math.max(...sources.map((source) => Date.parse(source.answered_at ?? "") || 0));
    const since = last ? ` since ${instant(last)} ${zoneName(last)}` : "";
    return { level: "bad", text: `Outage: no source has answered${since}. Numbers are unknown until one answers.` };
  }
  if (dead.length) return { level: "warn", text: `${dead.length} of ${sources.length} sources did not answer; numbers that need them are unknown.` };
  if (silentSeconds !== null) return { level: "bad", text: `No connection to the dashboard's server for ${span(silentSeconds)}.` };
  return null;
}
