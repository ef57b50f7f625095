// The page: when data is loaded, the status line, keyboard shortcuts, theme and time zone.

import { $ } from "./dom.js";
import { startPlotly } from "./chart.js";
import { isLocal, span, useLocalTime, zoneName } from "./format.js";
import { choose, loadDay, loadHistory, RANGES, redraw, startHistory } from "./history.js";
import { loadCaches } from "./caches.js";
import { get, listen, now } from "./net.js";
import { drawNow, tick, trouble } from "./now.js";
import { loadPositions, startPositions } from "./positions.js";
import { drawQuality, loadQuality, startQuality } from "./quality.js";

const who = { copier: document.body.dataset.copier, whale: document.body.dataset.whale, ratio: Number(document.body.dataset.ratio) };
const state = { latest: null, day: null, positions: null, lostAt: null, error: null };
let busy = false;
let again = false;
let announced = null; // the newest version in the event stream
let followed = null; // the announced version that caused the last reload: one reload for each

/** Load everything that is shown. Calls during a reload cause one more reload. */
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  document.querySelector("main").setAttribute("aria-busy", "true");
  try {
    state.error = null;
    const history = loadHistory().catch(remember);
    const [latest, day] = await Promise.all([get("/api/latest"), loadDay()]);
    Object.assign(state, { latest, day, lostAt: null });
    drawNow(state.latest, state.day, state.positions, who);
    await history; // the first screen first
    const positions = loadPositions().then((found) => {
      state.positions = found;
      drawNow(state.latest, state.day, state.positions, who);
    });
    await Promise.all([positions, loadCaches(), loadQuality()].map((part) => part.catch(remember)));
  } catch (error) {
    remember(error);
  }
  busy = false;
  document.querySelector("main").removeAttribute("aria-busy");
  startPlotly();
  show();
  if (isNew() || again) { again = false; refresh(); }
}

const versionOf = (answer) => `${answer.version} ${answer.reload_error}`;

/** True if an announced version is not shown yet, such as one published between the first answer and the stream. */
function isNew() {
  if (announced === followed || (state.latest && announced === versionOf(state.latest))) return false;
  followed = announced;
  return true;
}

function remember(error) { state.error = error.message; }

/** Draw the status line and the notice. They change with time as well as with data. */
function show() {
  const status = $("status");
  const words = status.querySelector(".words");
  const problem = state.latest ? trouble(state.latest, state.lostAt === null ? null : (now() - state.lostAt) / 1000) : null;
  const reload = state.latest?.reload_error;
  const text = state.error ?? problem?.text ?? (reload ? `The newest data could not be loaded: ${reload}` : null);
  const level = state.error || reload ? "bad" : problem?.level ?? (state.latest ? "live" : "wait");
  if (status.dataset.state !== level) {
    status.dataset.state = level;
    words.textContent = { live: "Live", bad: "Not live", warn: "Partly unknown", wait: "Waiting for data" }[level];
  }
  const notice = $("notice");
  notice.hidden = text === null;
  notice.className = `notice ${level}`;
  if (text !== null && notice.textContent !== text) notice.textContent = text;
  if (!state.latest) return;
  $("now").classList.toggle("stale", state.latest.timestamp !== null && (now() - Date.parse(state.latest.timestamp)) / 1000 > state.latest.stale_after_seconds);
  const published = state.latest.published_at;
  $("version").textContent = published ? `version ${state.latest.version}, published ${span((now() - Date.parse(published)) / 1000)} ago` : "nothing published yet";
  tick(state.latest, state.positions);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("theme", theme); } catch { /* storage is forbidden: keep it until the page closes */ }
  nameButtons();
  redraw();
  drawQuality();
}

function setZone(local) {
  useLocalTime(local);
  try { localStorage.setItem("zone", local ? "local" : "utc"); } catch { /* as above */ }
  nameButtons();
  refresh();
}

function nameButtons() {
  $("theme").textContent = document.documentElement.dataset.theme === "dark" ? "Light" : "Dark";
  $("zone").textContent = isLocal() ? `Local (${zoneName()})` : "UTC";
  $("zone").setAttribute("aria-pressed", String(isLocal()));
}

const toggleTheme = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
const KEYS = {
  r: refresh,
  t: toggleTheme,
  u: () => setZone(!isLocal()),
  "?": () => $("keys").showModal(),
  "/": () => { const box = $("filter"); box?.scrollIntoView({ block: "center" }); box?.focus(); },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog[open]")) return;
  const range = RANGES[Number(event.key) - 1];
  const action = range ? () => choose({ hours: range[1] }) : KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

try { useLocalTime(localStorage.getItem("zone") === "local"); } catch { /* as above */ }
nameButtons();
$("theme").addEventListener("click", toggleTheme);
$("zone").addEventListener("click", () => setZone(!isLocal()));
$("refresh").addEventListener("click", refresh);
$("help").addEventListener("click", KEYS["?"]);
startHistory(refresh);
startPositions((error) => { remember(error); show(); });
startQuality((error) => { remember(error); show(); });
listen((news) => {
  announced = versionOf(news);
  state.lostAt = null;
  if (!busy && (isNew() || state.error)) refresh(); // a running reload checks again when it ends
}, () => { state.lostAt ??= now(); show(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setInterval(() => { if (!document.hidden) show(); }, 1000);
refresh();
