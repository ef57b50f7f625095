// A chart as plain lines, shown until Plotly has started, which takes a second.

import { svg } from "./dom.js";
import { ticks } from "./ticks.js";

/** An SVG of the lines [{t, values, ink, dash}] over a range, in a box of this size; write(value) labels the axis. */
export function sketch(lines, range, bounds, size, margin, write) {
  const [width, height] = size;
  const known = lines.flatMap((line) => line.values).filter((value) => value !== null);
  const picture = svg("svg", { class: "sketch", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  if (!known.length) return picture;
  const [low, high] = bounds ?? padded(Math.min(0, ...known), Math.max(0, ...known));
  const x = (t) => margin.l + ((t - range[0]) / (range[1] - range[0])) * (width - margin.l - margin.r);
  const y = (v) => margin.t + ((high - Math.max(low, Math.min(high, v))) / (high - low)) * (height - margin.t - margin.b);
  for (const value of [low, (low + high) / 2, high]) {
    picture.append(svg("line", { x1: margin.l, x2: width - margin.r, y1: y(value), y2: y(value) }),
      svg("text", { x: margin.l - 4, y: y(value) + 4, "text-anchor": "end" }, write(value)));
  }
  const marks = ticks(...range, Math.max(3, width / 95));
  marks.values.forEach((t, place) => picture.append(svg("text", { x: x(t), y: height - margin.b + 17, "text-anchor": "middle" }, marks.labels[place])));
  for (const line of lines) {
    let path = "";
    line.values.forEach((value, place) => {
      if (value !== null) path += `${typeof line.values[place - 1] === "number" ? "L" : "M"}${x(line.t[place]).toFixed(1)} ${y(value).toFixed(1)}`;
    });
    picture.append(svg("path", { d: path, stroke: line.ink, "stroke-dasharray": line.dash ? "6 5" : null }));
  }
  return picture;
}

function padded(low, high) {
  const room = 0.06 * (high - low || 1);
  return [low - room, high + room];
}
