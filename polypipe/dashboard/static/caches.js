// Section "Caches": the bot's files, their freshness, and refused publications.

import { $, h, redraw, table } from "./dom.js";
import { count, instant, span, zoneName } from "./format.js";
import { get, now } from "./net.js";

const STATES = { fresh: ["fresh", "good"], stale: ["stale", "bad"], refused: ["last attempt refused", "bad"], never: ["never published", "bad"] };

export async function loadCaches() {
  const data = await get("/api/caches");
  draw(data);
}

function draw(data) {
  $("caches").classList.remove("loading");
  const columns = [
    { name: "File", cell: (file) => h("div", { class: "market" }, file.file, h("small", {}, file.description)) },
    { name: "State", cell: (file) => h("span", { class: `tag ${STATES[file.state][1]}` }, STATES[file.state][0]) },
    { name: "Entries", number: true, cell: (file) => (file.entries === null ? "–" : count(file.entries)) },
    { name: "Last accepted", cell: (file) => when(file.accepted_at) },
    { name: "Last change", cell: change },
    { name: "Refused", cell: refusals },
    { name: "What the bot holds", title: "the bot reads each file every 30 minutes", cell: view },
  ];
  redraw($("caches-body"), h("div", { class: "panel" },
    h("div", { class: "actions" }, h("a", { class: "button", href: "/api/export.csv?what=caches", download: "" }, "CSV")),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Cache files" }, table("The files the bot reads", columns, data.files))));
}

function when(time) {
  if (time === null) return "never";
  const ms = Date.parse(time);
  return h("div", {}, `${span((now() - ms) / 1000)} ago`, h("small", { class: "muted" }, ` ${instant(ms)} ${zoneName(ms)}`));
}

function change(file) {
  const last = file.last_change;
  if (last === null) return file.accepted_at === null ? "–" : "none recorded";
  return h("div", {}, `+${count(last.added)} −${count(last.removed)}${last.changed ? ` ±${count(last.changed)}` : ""}`, h("small", { class: "muted" }, ` ${span((now() - Date.parse(last.time)) / 1000)} ago`));
}

function refusals(file) {
  if (!file.refused_count) return h("span", { class: "muted" }, "none");
  return h("details", { dataset: { fold: file.file } }, h("summary", {}, `${count(file.refused_count)}, last ${span((now() - Date.parse(file.refused[0].time)) / 1000)} ago`),
    h("ul", {}, file.refused.map((attempt) => h("li", {}, `${instant(Date.parse(attempt.time))} ${zoneName()}: ${attempt.reason}`))));
}

function view(file) {
  if (file.accepted_at === null) return "–";
  if (file.bot_sure_since === null) return "maybe older than the first publication";
  if (file.bot_is_current) return "the current content";
  return `up to ${span((now() - Date.parse(file.bot_observed_at)) / 1000)} old`;
}
