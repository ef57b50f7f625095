// Section "Copy quality": the gap by day, and the attribution and copies of the selected days.

import { $, h, redraw, tip } from "./dom.js";
import { isLocal } from "./format.js";
import { botLog } from "./botlog.js";
import { askClasses, drawClasses } from "./classes.js";
import { distribution, drawBars, figures, funnel } from "./copies.js";
import { costs, markouts } from "./costs.js";
import { drawDaily, drawGaps } from "./daily.js";
import { get } from "./net.js";
import { radar } from "./radar.js";
import { drawRatios } from "./ratios.js";
import { waterfall } from "./waterfall.js";
import { whatIfForm } from "./whatif.js";

const DAYS = ["1", "7", "30"];
const ABOUT = {
  slippage: "Of each copied fill: sign × (copier price − whale price) × 100, in cents a share; + is worse. Half of the fills are at or below p50, 95 % at or below p95.",
  latency: "Of each copied fill: seconds from the whale's fill to the first copy, by block times, accurate to 2 s. Half of the fills are at or below p50, 95 % at or below p95, 99 % at or below p99.",
  costs: "Slippage is delay (from the whale's price to the market's price when the copy was made, by the bot's log or a quote in between) plus spread and impact (from there to the copier's price). 95 % intervals count every event once.",
  markouts: "Cents a share that the whale's eligible fills are worth some seconds later, weighted by expected shares: sign × (price then − the whale's price), for fills with a quote in the second half of that time. A rise within the latency is what a faster bot would save.",
  exits: `Shares that the whale had sold and the copier still held at the end of the last day, × the last known price. Tokens worth less than the bot's minimum order of ${document.body.dataset.minimum} are left out.`,
};
let drawn = {}; // part of the section -> the answer it shows, as text: an equal answer is not drawn again
let chosen = { days: "7", until: null }; // until null: the newest day
let copying = null;
let typing = false;
let asked = 0;
let report = () => {};

/** Read the days from the address. `failed` is called with errors of later requests. */
export function startQuality(failed) {
  report = failed;
  readAddress();
  window.addEventListener("popstate", () => { typing = false; readAddress(); again(); });
  $("quality-days").replaceChildren(...DAYS.map((days) => h("button", { type: "button", dataset: { days }, onclick: () => choose({ days }) }, days === "1" ? "1 day" : `${days} days`)));
  // A year being typed is 2, 20 and 202 first: those are before `min` and not requested.
  const input = $("quality-until");
  input.addEventListener("input", () => { typing = true; });
  input.addEventListener("change", () => { if (input.validity.valid && input.value !== shownDay()) choose({ until: input.value || null }); });
  input.addEventListener("blur", () => { typing = false; writeDay(); });
  let width = 0;
  new ResizeObserver(([entry]) => { if (entry.contentRect.width !== width) { width = entry.contentRect.width; drawQuality(); } }).observe($("quality-body"));
}

const shownDay = () => chosen.until ?? copying?.until ?? "";

/** Put the day shown into its field, unless the user is typing there. */
function writeDay() {
  if (!typing && $("quality-until").value !== shownDay()) $("quality-until").value = shownDay();
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  const until = query.get("until");
  chosen = { days: DAYS.includes(query.get("days")) ? query.get("days") : "7", until: /^\d{4}-\d\d-\d\d$/.test(until ?? "") ? until : null };
}

function choose(change) {
  Object.assign(chosen, change);
  const query = new URLSearchParams(location.search);
  query.set("days", chosen.days);
  if (chosen.until) query.set("until", chosen.until); else query.delete("until");
  history.pushState(null, "", `?${query}${location.hash}`);
  again();
}

function again() { loadQuality().catch(report); }

/** Load the section and draw what changed. An answer that a later request has overtaken is dropped. */
export async function loadQuality() {
  const mine = ++asked;
  mark();
  const { days, until } = chosen;
  const questions = {
    daily: get("/api/quality", { window: 1, days: 60 }), week: get("/api/quality", { window: 7, days: 1 }), month: get("/api/quality", { window: 30, days: 1 }),
    copying: get("/api/quality/copying", { days, until }), classes: askClasses({ days, until }), log: get("/api/quality/log", { days }),
  };
  let found = null;
  try {
    found = Object.fromEntries(await Promise.all(Object.entries(questions).map(async ([name, answer]) => [name, await answer])));
  } catch (error) {
    if (mine === asked && !copying) { // otherwise what was drawn stays, and the notice has the error
      $("quality").classList.remove("loading");
      $("quality-body").replaceChildren(h("p", { class: "panel empty" }, `Copy quality could not be loaded: ${error.message}`));
    }
    throw error;
  }
  if (mine !== asked) return;
  $("quality").classList.remove("loading");
  if (!$("quality-log")) {
    drawn = {};
    $("quality-body").replaceChildren(h("div", { id: "quality-days-body" }), h("div", { id: "quality-log", class: "panel" }));
  }
  update("log", found.log, drawLog);
  const { reason } = found.copying;
  if (reason !== null) {
    copying = null;
    update("days", reason, () => $("quality-days-body").replaceChildren(h("p", { class: "panel empty" }, `${reason[0].toUpperCase()}${reason.slice(1)}.`)));
    return;
  }
  if (!$("quality-copying")) { for (const part of ["daily", "copying", "classes", "days"]) delete drawn[part]; $("quality-days-body").replaceChildren(...frame()); }
  copying = found.copying;
  update("daily", [found.daily.rows, found.week.rows, found.month.rows], (answer) => drawDaily(answer, (day) => choose({ days: "1", until: day })));
  update("copying", copying, drawCopying);
  update("classes", found.classes, (answer) => drawClasses(answer, report));
}

function update(part, answer, draw) {
  const text = JSON.stringify([answer, isLocal()]);
  if (drawn[part] === text) return;
  draw(answer);
  drawn[part] = text;
}

function mark() {
  for (const button of $("quality-days").children) button.setAttribute("aria-pressed", String(button.dataset.days === chosen.days));
}

const csvOf = (what, parameters) => `/api/export.csv?${new URLSearchParams({ what, ...parameters })}`;

function panel(id, title, { csv, about, wide = false } = {}) {
  return h("div", { class: `panel part${wide ? " wide" : ""}`, id: `part-${id}` },
    h("header", {}, h("h3", {}, title), about === undefined ? null : tip(about), csv === undefined ? null : h("div", { class: "actions" }, h("a", { class: "button", dataset: { csv }, download: "" }, "CSV"))),
    h("div", { class: "content", id: `${id}-content` }));
}

function frame() {
  return [
    h("div", { id: "quality-daily" }),
    h("div", { id: "quality-notices" }),
    h("div", { class: "facts", id: "quality-copying" }),
    h("div", { class: "actions" }, h("a", { class: "button", dataset: { csv: "metrics" }, download: "" }, "CSV of these numbers")),
    h("div", { class: "two" }, panel("waterfall", "Attribution of the gap", { csv: "waterfall" }), panel("funnel", "How far the whale's fills came", { csv: "funnel" })),
    h("div", { class: "two" }, panel("slippage", "Slippage", { csv: "slippage", about: ABOUT.slippage }), panel("latency", "Latency", { csv: "latency", about: ABOUT.latency })),
    h("div", { class: "two" }, panel("costs", "What copying costs a share", { about: ABOUT.costs }), panel("markouts", "What the whale's fills are worth later", { csv: "markouts", about: ABOUT.markouts })),
    h("div", { class: "two", id: "quality-windows" }),
    panel("exits", "Uncopied exits: sold by the whale, still held by the copier", { csv: "exits", wide: true, about: ABOUT.exits }),
    panel("classes", "By class", { wide: true }),
    panel("whatif", "What if", { wide: true }),
  ];
}

function drawCopying(data) {
  $("quality-sub").textContent = data.first === data.until ? `${data.until}, UTC` : `${data.first} to ${data.until}, UTC days`;
  const input = $("quality-until");
  Object.assign(input, { min: data.oldest, max: data.newest });
  writeDay();
  $("quality-notices").replaceChildren(...[data.stale ? `Stale: ${data.stale}` : null, data.warning, ...data.unknown_days.map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`), daysLeftOut(data)].filter(Boolean).map((text) => h("p", { class: "notice warn" }, text)));
  $("quality-copying").replaceChildren(...figures(data));
  $("waterfall-content").replaceChildren(...waterfall(data.attribution).filter(Boolean));
  $("funnel-content").replaceChildren(...funnel(data.funnel));
  for (const kind of ["slippage", "latency"]) $(`${kind}-content`).replaceChildren(...distribution(kind, data[kind], data.metrics));
  $("costs-content").replaceChildren(...costs(data.metrics));
  $("markouts-content").replaceChildren(...markouts(data));
  $("exits-content").replaceChildren(...radar(data.exits).filter(Boolean));
  whatIfForm($("whatif-content"), data);
  for (const link of $("quality-days-body").querySelectorAll("[data-csv]")) link.href = csvOf(link.dataset.csv, { days: data.days, until: data.until });
  drawDistributions();
}

function daysLeftOut({ metrics, days }) {
  if (metrics.whale_fills === null || metrics.days_known >= days) return null;
  return `Fills are known and matched on ${metrics.days_known} of ${days} days; counts of fills leave the others out.`;
}

function drawDistributions() {
  if (copying) for (const box of document.querySelectorAll("#quality .histogram")) drawBars(box, copying[box.dataset.kind], copying.metrics);
}

function drawLog(data) {
  redraw($("quality-log"), h("h3", {}, `The bot's log, last ${data.days === 1 ? "24 hours" : `${data.days} days`} up to now`), ...botLog(data).filter(Boolean));
}

/** Redraw the pictures after a change of theme or width. */
export function drawQuality() {
  drawGaps();
  drawDistributions();
  drawRatios();
}
