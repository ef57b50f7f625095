// Section "Positions": the comparison table, sorted, filtered and paged by the server.

import { $, fact, h, redraw, table } from "./dom.js";
import { count, instant, money, percent, shortMoney, span, zoneName } from "./format.js";
import { get, now } from "./net.js";

const NAMES = { orphan: "orphan", missed: "missed", over: "over", under: "under", moved: "moved", unknown: "unknown", manual: "manual", on_target: "on target", converted: "converted", below_minimum: "below minimum", netted: "netted", resolved: "resolved" };
const MEANINGS = {
  orphan: "the whale has left, the copier still holds it", missed: "the whale holds it, the copier does not", over: "more than 12.5 % above the expected size",
  under: "more than 12.5 % below the expected size", manual: "the copier's own: the whale is not known to have held it", on_target: "within 12.5 % of the expected size",
  moved: "the shares left the whale's address without a trade, as its activity lists or as only the list of positions shows (inferred): it may hold them, and trade, from another address", unknown: "not known; the row says why",
  converted: "held as shares of other outcomes of the event that pay the same",
  below_minimum: `less than the bot's minimum order of ${document.body.dataset.minimum}`, netted: "full sets of both outcomes: no exposure", resolved: "the market is resolved",
};
const MOODS = { orphan: "bad", missed: "bad", over: "bad", under: "bad", on_target: "good" };
const PAGE = 25;

const asked = { q: "", status: new Set(), sort: "attention", order: "asc", offset: 0 };
let latest = null;
let shown = 0;
let redrawn = () => {};

function parameters() {
  return { q: asked.q || null, status: [...asked.status].join(",") || null, sort: asked.sort, order: asked.order };
}

/** Load a page of the table and draw the section. Returns the answer. */
export async function loadPositions() {
  const mine = ++shown;
  const data = await get("/api/positions/rows", { ...parameters(), limit: PAGE, offset: asked.offset });
  if (mine === shown) {
    latest = data;
    draw();
  }
  return data;
}

export function startPositions(report) {
  redrawn = report;
}

function again(change) {
  Object.assign(asked, { offset: 0 }, change);
  loadPositions().catch((error) => redrawn(error));
}

function draw() {
  $("positions").classList.remove("loading");
  const body = $("positions-body");
  const sub = $("positions-sub");
  if (latest.compared_at === null) {
    sub.textContent = "";
    body.replaceChildren(h("p", { class: "panel empty" }, `Nothing to compare: ${latest.reasons.coverage}.`));
    return;
  }
  const at = Date.parse(latest.compared_at);
  sub.textContent = `all positions of both wallets read at ${instant(at)} ${zoneName(at)}, ${span((now() - at) / 1000)} ago`;
  if (!body.querySelector("#filter")) body.replaceChildren(...frame());
  redraw($("position-notes"), ...Object.entries(latest.notes).map(([subject, note]) => h("p", { class: "muted" }, `${subject === "announced" ? "Polymarket announces" : "Note"}: ${note}.`)));
  redraw($("position-facts"), ...facts());
  redraw($("position-counts"), ...counts());
  redraw($("position-rows"), rows());
  redraw($("position-pager"), ...pager());
  redraw($("position-groups"), byStatus(), bySize());
  $("positions-csv").href = `/api/export.csv?${new URLSearchParams(Object.entries({ what: "positions", ...parameters() }).filter(([, value]) => value !== null))}`;
}

function frame() {
  let waiting = null;
  return [
    h("div", { id: "position-notes" }),
    h("div", { class: "facts", id: "position-facts" }),
    h("div", { class: "panel" },
      h("div", { class: "filter" },
        h("label", { class: "hidden", for: "filter" }, "Filter by market, outcome or event"),
        h("input", { id: "filter", type: "search", placeholder: "Filter by market, outcome or event  ( / )", maxlength: 100, autocomplete: "off",
          oninput: (event) => { clearTimeout(waiting); waiting = setTimeout(() => again({ q: event.target.value.trim() }), 150); } }),
        h("a", { class: "button", id: "positions-csv", download: "" }, "CSV")),
      h("div", { class: "counts", id: "position-counts", role: "group", "aria-label": "Filter by status" }),
      h("div", { class: "scroll", id: "position-rows", tabindex: "0", role: "region", "aria-label": "Comparison table" }),
      h("div", { class: "pager", id: "position-pager" })),
    h("div", { class: "two", id: "position-groups" }),
  ];
}

function facts() {
  const s = latest.summary;
  const why = latest.reasons;
  const signed = (value) => money(value, { signed: true });
  const expected = s.expected_usd === null ? "" : ` Expected: ${money(s.expected_usd)}.`;
  return [
    fact("Coverage", s.coverage, percent, { reason: why.coverage, note: "held ÷ expected, by value",
      formula: `Σ min(held, expected) ÷ Σ expected, by value, over the whale's open positions worth an order of ${document.body.dataset.minimum}. Expected is ratio × the whale's.${expected}` }),
    fact("Fill rate", s.weighted_fill_rate, percent, { reason: why.weighted_fill_rate, note: "weighted by value, not capped", formula: `Σ held ÷ Σ expected, by value, over the same positions.${expected}` }),
    fact("Cost of deviation", s.cost_of_deviation, signed, { reason: why.cost_of_deviation, note: "missed positions included; minus is a loss",
      formula: "Σ (copier shares − expected) × (price − the whale's average price). Orphans and own positions have no such price; the excess has them." }),
    fact("Excess", s.excess_usd, shortMoney, { reason: why.excess_usd, note: "held beyond the expected size", formula: `Σ max(held − expected, 0), by value, over all open positions.${s.actual_usd === null ? "" : ` Held: ${money(s.actual_usd)}.`}` }),
    fact("Orphans", s.orphan_usd, shortMoney, { reason: why.orphan_usd, note: `${count(s.orphan)} left by the whale, still held`, formula: "Σ copier shares × price of positions that the whale has left." }),
    fact("Win rate", s.copier_win_rate, percent, { reason: why.copier_win_rate, formula: `The copier's open positions in profit ÷ those in profit or loss. The copier holds ${count(s.copier_positions)} positions, the whale ${count(s.whale_positions)}.`, note: s.whale_win_rate === null ? "whale: unknown" : `whale: ${percent(s.whale_win_rate)}` }),
  ];
}

const least = (more) => (more ? "≥ " : "");

function counts() {
  return Object.entries(latest.counts).map(([status, number]) =>
    h("button", { type: "button", title: MEANINGS[status], "aria-pressed": String(asked.status.has(status)),
      onclick: () => { const wanted = new Set(asked.status); if (!wanted.delete(status)) wanted.add(status); again({ status: wanted }); } },
    NAMES[status], h("b", {}, `${least(latest.at_least.includes(status))}${count(number)}`)));
}

function sortable(name, column, first = "desc") {
  const active = asked.sort === column;
  const way = active ? (asked.order === "asc" ? "desc" : "asc") : first;
  const mark = active ? (asked.order === "asc" ? " ▲" : " ▼") : "";
  return {
    head: h("button", { type: "button", onclick: () => again({ sort: column, order: way }) }, name + mark),
    sort: active ? (asked.order === "asc" ? "ascending" : "descending") : null,
  };
}

/** Shares held; with what counts of them, where full sets or equal shares of the event make that another number. */
const held = (size, net, decimals) => [count(size, decimals), Math.abs(net - size) > 0.005 ? h("small", { class: "muted counts-as", title: "beyond full sets, or with equal shares of the event" }, ` counts as ${count(net, decimals)}`) : null];
const optional = (value, write) => (value === null ? h("span", { class: "muted" }, "–") : write(value));
const signedMoney = (value) => optional(value, (usd) => h("span", { class: usd > 0.005 ? "mood-good" : usd < -0.005 ? "mood-bad" : null }, money(usd, { signed: true })));

function market(row) {
  const slug = row.event_slug;
  const name = row.title || "untitled market";
  const link = slug ? h("a", { href: `https://polymarket.com/event/${encodeURIComponent(slug)}`, target: "_blank", rel: "noopener noreferrer" }, name) : name;
  const out = row.status !== "orphan" ? "" : row.whale_out_since ? ` · whale out since ${instant(Date.parse(row.whale_out_since))} ${zoneName()}` : " · whale out, since when is unknown";
  return h("div", { class: "market" }, link, h("small", {}, row.outcome, row.end_date ? ` · ends ${row.end_date.slice(0, 10)}` : "", out, row.reason ? ` · ${row.reason}` : ""));
}

function rows() {
  if (!latest.rows.length) {
    const filtered = asked.q || asked.status.size;
    return h("p", { class: "empty" }, filtered ? "No position matches the filter." : "Neither wallet holds a position.");
  }
  const columns = [
    { name: "Market", ...sortable("Market", "title", "asc"), cell: market },
    { name: "Status", ...sortable("Status", "attention", "asc"), cell: (row) => h("span", { class: `tag ${MOODS[row.status] ?? ""}`, title: MEANINGS[row.status] }, row.status === "moved" && row.reason?.startsWith("inferred") ? "moved (inferred)" : NAMES[row.status] ?? row.status) },
    { name: "Whale", number: true, title: "shares", ...sortable("Whale", "whale_size"), cell: (row) => held(row.whale_size, row.whale_net, 0) },
    { name: "Expected", number: true, title: "shares", ...sortable("Expected", "expected_size"), cell: (row) => count(row.expected_size, 1) },
    { name: "Actual", number: true, title: "shares", ...sortable("Actual", "copier_size"), cell: (row) => held(row.copier_size, row.copier_net, 1) },
    { name: "Fill", number: true, ...sortable("Fill", "fill_rate"), cell: (row) => optional(row.fill_rate, (rate) => percent(100 * rate, { decimals: 0 })) },
    { name: "Price", number: true, ...sortable("Price", "price"), cell: (row) => optional(row.price, (price) => `${+(100 * price).toFixed(2)}¢`) },
    { name: "Held", number: true, title: "USD", ...sortable("Held", "actual_usd"), cell: (row) => optional(row.actual_usd, (usd) => money(usd)) },
    { name: "Deviation", number: true, title: "(actual − expected) × (price − the whale's average price)", ...sortable("Deviation", "cost_of_deviation", "asc"), cell: (row) => signedMoney(row.cost_of_deviation) },
    { name: "Copier PnL", number: true, ...sortable("Copier PnL", "copier_pnl", "asc"), cell: (row) => signedMoney(row.copier_pnl) },
  ];
  return table("Positions of copier and whale compared", columns, latest.rows);
}

function pager() {
  const { offset, limit, total } = latest;
  if (!total) return [];
  const last = Math.min(total, offset + limit);
  const turn = (to) => { asked.offset = to; loadPositions().catch((error) => redrawn(error)); };
  return [
    h("span", {}, `${count(offset + 1)}–${count(last)} of ${count(total)}`),
    h("button", { type: "button", disabled: offset === 0, onclick: () => turn(Math.max(0, offset - limit)) }, "Previous"),
    h("button", { type: "button", disabled: last >= total, onclick: () => turn(offset + limit) }, "Next"),
  ];
}

const verdict = (row) => (row.verdict ? h("span", { class: `tag ${row.mood}` }, `${row.mood === "good" ? "▲" : "▼"} ${row.verdict}`) : h("span", { class: "muted" }, "–"));

function group(title, what, columns, made) {
  const id = what.replace("_", "-");
  return h("div", { class: "panel part" },
    h("header", {}, h("h3", {}, title), h("div", { class: "actions" }, h("a", { class: "button", href: `/api/export.csv?what=${what}`, download: "" }, "CSV"))),
    h("div", { class: "scroll", id, tabindex: "0", role: "region", "aria-label": title }, table(title, columns, made)));
}

function byStatus() {
  return group("By fill status", "by_status", [
    { name: "Status", cell: (row) => NAMES[row.status] },
    { name: "Rows", number: true, cell: (row) => `${least(row.at_least)}${count(row.rows)}` },
    { name: "Whale × ratio", number: true, title: "ratio × the whale's unrealised PnL", cell: (row) => signedMoney(row.scaled_whale_pnl) },
    { name: "Copier PnL", number: true, cell: (row) => signedMoney(row.copier_pnl) },
    { name: "Deviation", number: true, cell: (row) => signedMoney(row.cost_of_deviation) },
    { name: "Verdict", cell: verdict },
  ], latest.by_status.filter((row) => row.rows));
}

function bySize() {
  return group("By size of the whale's position, in shares", "by_size", [
    { name: "Shares", whole: true, cell: (row) => row.size.replace("-", "–") },
    { name: "Rows", number: true, cell: (row) => count(row.rows) },
    { name: "Filled", number: true, title: "actual ÷ expected, by value", cell: (row) => optional(row.filled, (share) => percent(share, { decimals: 0 })) },
    { name: "Whale × ratio", number: true, cell: (row) => signedMoney(row.scaled_whale_pnl) },
    { name: "Copier PnL", number: true, cell: (row) => signedMoney(row.copier_pnl) },
    { name: "Verdict", cell: verdict },
  ], latest.by_size.filter((row) => row.rows));
}
