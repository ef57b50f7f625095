// Numbers, ages and instants as text. Callers show the reason of an unknown number instead.

const MINUS = "\u2212";

function grouped(value, decimals) {
  return Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** "−$12.00"; with `signed` also "+$12.00". Zero has no sign. */
export function money(value, { signed = false, decimals = 2 } = {}) {
  const text = grouped(value, decimals);
  const zero = Number(text.replaceAll(",", "")) === 0;
  return (zero ? "" : value < 0 ? MINUS : signed ? "+" : "") + "$" + text;
}

/** Money that may be large: "$1.25M". */
export function shortMoney(value, options = {}) {
  const size = Math.abs(value);
  if (size < 100_000) return money(value, { decimals: size >= 10_000 ? 0 : 2, ...options });
  const [divisor, letter] = size >= 1e9 ? [1e9, "B"] : size >= 1e6 ? [1e6, "M"] : [1e3, "k"];
  return money(value / divisor, { ...options, decimals: 1 }) + letter;
}

export function percent(value, { signed = false, decimals = 1 } = {}) {
  const text = grouped(value, decimals);
  const zero = Number(text.replaceAll(",", "")) === 0;
  return (zero ? "" : value < 0 ? MINUS : signed ? "+" : "") + text + "\u202f%";
}

export function count(value, decimals = 0) {
  return (value < 0 ? MINUS : "") + grouped(value, decimals);
}

/** What the interval of a gap says. */
export const SIDES = { ahead: "ahead of the ratio", behind: "behind the ratio", not_distinguishable: "not distinguishable from zero" };
export const side = (low, high) => SIDES[low > 0 ? "ahead" : high < 0 ? "behind" : "not_distinguishable"];

/** "1 snapshot", "1,361 snapshots". */
export function counted(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** "34 s", "12 min", "3 h 05 min", "2 d 4 h". */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const zone = { local: false };

export function useLocalTime(local) { zone.local = local; }
export function isLocal() { return zone.local; }

/** The zone to print after a time: "UTC", or the browser's name of its own zone at that instant. */
export function zoneName(ms = Date.now()) {
  if (!zone.local) return "UTC";
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date(ms));
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "local";
}

/** Offset of the displayed zone from UTC at that instant, in minutes. */
export function offsetMinutes(ms) { return zone.local ? -new Date(ms).getTimezoneOffset() : 0; }

/** [year, month, day, hour, minute, second] in the displayed zone, as texts. */
function fields(ms) {
  return new Date(ms + offsetMinutes(ms) * 60_000).toISOString().match(/\d+/g);
}

/** "2026-11-23 10:00", with seconds if asked for, without zone. */
export function instant(ms, seconds = false) {
  const [y, mo, d, h, mi, s] = fields(ms);
  return `${y}-${mo}-${d} ${h}:${mi}${seconds ? `:${s}` : ""}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The label of a tick: a time of day, or a date at midnight and for steps of days. */
export function tickLabel(ms, step) {
  const [y, mo, d, h, mi] = fields(ms);
  if (step >= 27 * 86_400_000) return mo === "01" ? y : MONTHS[Number(mo) - 1];
  if (step >= 86_400_000 || (h === "00" && mi === "00")) return `${Number(d)} ${MONTHS[Number(mo) - 1]}`;
  return `${h}:${mi}`;
}

/** The value of a datetime-local input for an instant, and back (NaN if it is empty). */
export function inputValue(ms) { return instant(ms).replace(" ", "T"); }
export function fromInput(text) {
  return Date.parse(zone.local ? text : `${text}Z`);
}
