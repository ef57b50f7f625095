// Ticks of a time axis, at round times of the displayed zone, daylight saving included.

import { offsetMinutes, tickLabel } from "./format.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
  DAY, 2 * DAY, 5 * DAY, 10 * DAY, 31 * DAY, 92 * DAY, 183 * DAY, 366 * DAY];

const wall = (ms) => ms + offsetMinutes(ms) * MINUTE;

/** The instant of a wall time, given as if it were UTC. */
function fromWall(target) {
  const guess = target - offsetMinutes(target) * MINUTE;
  return target - offsetMinutes(guess) * MINUTE;
}

/** {values, labels} for at most `most` ticks between two instants. */
export function ticks(start, end, most) {
  const step = STEPS.find((candidate) => (end - start) / candidate <= most) ?? STEPS.at(-1);
  const values = [];
  if (step >= 31 * DAY) {
    const months = Math.round(step / (30.5 * DAY));
    const first = new Date(wall(start));
    let month = Math.floor((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months;
    for (;; month += months) {
      const at = fromWall(Date.UTC(Math.floor(month / 12), month % 12, 1));
      if (at > end) break;
      if (at >= start) values.push(at);
    }
  } else {
    for (let at = Math.ceil(wall(start) / step) * step; at <= wall(end); at += step) values.push(fromWall(at));
  }
  return { values, labels: values.map((value) => tickLabel(value, step)) };
}
