// One chart: Plotly draws the lines; crosshair, readout, table and downloads are ours.

import { h, table } from "./dom.js";
import { instant, zoneName } from "./format.js";
import { sketch } from "./sketch.js";
import { ticks } from "./ticks.js";

const MARGIN = { l: 62, r: 14, t: 8, b: 26 };
const TABLE_ROWS = 120;
const FEW = 5; // up to this many points are drawn as markers: a line of two minutes is invisible
const charts = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** An instant for Plotly as UTC text: it would draw a Date in the browser's zone and report zooms in it. */
const utc = (ms) => new Date(ms).toISOString();

/** "#56b4e9" and 0.15 as a colour with alpha. */
function wash(hex, alpha) {
  const value = parseInt(hex.slice(1), 16);
  return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${alpha})`;
}

export class Chart {
  /**
   * options: {id, title, lines: [{name, field, colour, dash, write, hidden, axis2, source}], zero, hundred, fill, csv(range)}.
   * `zoomed(from, to)` and `reset()` are called for a drag and a double-click.
   */
  constructor(options, zoomed, reset) {
    this.options = options;
    this.zoomed = zoomed;
    this.reset = reset;
    this.data = null;
    this.place = null;
    this.at = null; // where the crosshair is, in milliseconds
    this.off = new Set(options.lines.filter((line) => line.hidden).map((line) => line.name));
    this.canvas = h("div", { class: "canvas" });
    this.cross = h("div", { class: "cross", hidden: true });
    this.message = h("div", { class: "message" }, h("span", {}, "loading"));
    this.plot = h("div", { class: "plot", tabindex: "0", role: "img", "aria-label": options.title, id: `plot-${options.id}`,
      onkeydown: (event) => this.step(event), onpointermove: (event) => this.point(event), onpointerleave: () => crossAt(null) },
    this.canvas, this.cross, this.message);
    // The browser times clicks when they are made, Plotly when it handles them, so a busy page can miss the second click.
    this.plot.addEventListener("mousedown", (event) => { if (event.detail === 2) this.reset(); }, true);
    this.readout = h("p", { class: "readout" });
    this.csv = h("a", { class: "button", download: "" }, "CSV");
    this.behind = h("div", { class: "data scroll", tabindex: "0", role: "region", "aria-label": `${options.title}: table`, hidden: true });
    this.tableButton = h("button", { type: "button", "aria-expanded": "false", onclick: () => this.toggleTable() }, "Table");
    this.node = h("article", { class: "panel chart", id: `chart-${options.id}` },
      h("header", {}, h("h3", {}, options.title), this.readout,
        h("div", { class: "actions" }, this.csv,
          h("button", { type: "button", onclick: () => this.png() }, "PNG"), this.tableButton)),
      this.plot, this.behind);
    charts.push(this);
  }

  /** Show columns {t, columns, from, to, reconstructed}; null numbers are holes in the line. */
  show(data) {
    this.data = data;
    this.csv.href = this.options.csv;
    this.lines = this.options.lines.map((line) => ({ ...line, ...(line.source ? line.source(data) : { t: data.t, values: data.columns[line.field] }) }));
    const empty = !this.lines.some((line) => line.values.some((value) => value !== null));
    this.say(empty ? this.options.empty(data) : "");
    this.draw();
    this.read();
    if (!this.behind.hidden) this.fillTable();
  }

  fail(text) {
    if (this.data) return; // keep what was drawn: the page shows its age
    this.say(text);
  }

  /** Show a sentence over the empty plot, or hide it if the text is empty. */
  say(text) {
    this.message.hidden = text === "";
    this.message.replaceChildren(h("span", {}, text));
  }

  draw() {
    if (!this.data) return;
    this.range = [Date.parse(this.data.from), Date.parse(this.data.to)];
    if (!window.Plotly) {
      this.canvas.replaceChildren(this.sketch());
      return;
    }
    if (!this.wired) this.canvas.replaceChildren();
    Plotly.react(this.canvas, this.traces(), this.layout(), { displayModeBar: false, responsive: false, doubleClick: false });
    if (!this.wired) {
      this.wired = true;
      this.canvas.on("plotly_relayout", (change) => {
        const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
        if (from !== undefined) this.zoomed(toMs(from), toMs(to));
      });
    }
  }

  sketch() {
    const lines = this.lines.filter((line) => !line.axis2 && !this.off.has(line.name)).map((line) => ({ ...line, ink: colour(line.colour) }));
    return sketch(lines, this.range, this.bounds().range, [this.plot.clientWidth, this.plot.clientHeight], MARGIN, this.options.lines[0].write);
  }

  traces() {
    const made = [];
    for (const line of this.lines) {
      const ink = colour(line.colour);
      const shown = !this.off.has(line.name);
      const x = line.t.map(utc);
      if (this.options.fill && !line.source) {
        for (const [sign, name] of [[1, "--good"], [-1, "--bad"]]) {
          made.push({ ...side(line, sign), mode: "lines", fill: "tozeroy", line: { width: 0 }, fillcolor: wash(colour(name), 0.2), hoverinfo: "skip" });
        }
      }
      made.push({ x, y: line.values, name: line.name, mode: line.values.filter((value) => value !== null).length <= FEW ? "lines+markers" : "lines", connectgaps: false, hoverinfo: "none",
        visible: shown, yaxis: line.axis2 ? "y2" : "y", line: { color: ink, width: line.width ?? 1.8, dash: line.dash ?? "solid" }, marker: { color: ink } });
    }
    return made;
  }

  layout() {
    const { values, labels } = ticks(...this.range, Math.max(3, (this.plot.clientWidth - 80) / 95));
    const grid = colour("--line");
    const axis = { gridcolor: grid, zeroline: false, fixedrange: true, tickfont: { size: 11 }, automargin: false };
    const flat = (y, dash) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color: colour("--faint"), width: dash === "solid" ? 1 : 1.5, dash }, layer: "below" });
    const holes = (this.data.gaps ?? []).map((gap) => ({ type: "rect", yref: "paper", y0: 0, y1: 1, x0: utc(Date.parse(gap.from)), x1: utc(Date.parse(gap.to)),
      fillcolor: wash(colour("--faint"), 0.14), line: { width: 0 }, layer: "below" }));
    const right = this.options.lines.some((line) => line.axis2 && !this.off.has(line.name));
    return {
      margin: { ...MARGIN, r: right ? 62 : MARGIN.r }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--soft"), family: getComputedStyle(document.body).fontFamily, size: 11 }, showlegend: false, dragmode: "zoom", hovermode: "x",
      width: this.plot.clientWidth, height: this.plot.clientHeight,
      xaxis: { ...axis, fixedrange: false, type: "date", range: this.range.map(utc), tickmode: "array", tickvals: values.map(utc), ticktext: labels, showgrid: true },
      yaxis: { ...axis, ...this.options.axis, ...this.bounds() },
      yaxis2: { ...axis, ...this.options.axis, overlaying: "y", side: "right", showgrid: false, visible: right },
      shapes: [...holes, ...(this.options.zero ? [flat(0, "solid")] : []), ...(this.options.hundred ? [flat(100, "dash")] : [])],
    };
  }

  /** Limits of the left axis, without outliers if `robust` is set. */
  bounds() {
    if (!this.options.robust) return {};
    const known = this.lines.filter((line) => !this.off.has(line.name)).flatMap((line) => line.values).filter((v) => v !== null).sort((a, b) => a - b);
    if (!known.length) return { range: [0, 150] };
    const [low, high] = [known[Math.floor(known.length * 0.02)], known[Math.ceil(known.length * 0.98) - 1]];
    const [bottom, top] = [Math.min(0, low), Math.max(125, high)];
    return { range: [bottom - 0.06 * (top - bottom), top + 0.06 * (top - bottom)] };
  }

  point(event) {
    if (!this.data) return;
    const box = this.plot.getBoundingClientRect();
    const layout = this.canvas._fullLayout;
    const width = box.width - MARGIN.l - (layout?.margin.r ?? MARGIN.r);
    const share = (event.clientX - box.left - MARGIN.l) / width;
    crossAt(share < 0 || share > 1 ? null : this.range[0] + share * (this.range[1] - this.range[0]));
  }

  step(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || !this.data?.t.length) return;
    event.preventDefault();
    const last = this.data.t.length - 1;
    const from = this.place ?? (way < 0 ? last + 1 : -1);
    crossAt(this.data.t[Math.max(0, Math.min(last, from + way * (event.shiftKey ? 20 : 1)))]);
  }

  /** Place the crosshair (null hides it) and update the readout; without an argument at its last place, for new data. */
  read(at = this.at) {
    this.at = at;
    if (!this.data || !this.range) return;
    if (at < this.range[0] || at > this.range[1]) at = null;
    this.cross.hidden = at === null;
    this.place = at === null || !this.data.t.length ? null : nearest(this.data.t, at);
    if (at !== null) {
      const right = this.canvas._fullLayout?.margin.r ?? MARGIN.r;
      const t = this.snap(at);
      const share = (t - this.range[0]) / (this.range[1] - this.range[0]);
      this.cross.hidden = share < 0 || share > 1;
      this.cross.style.left = `${MARGIN.l + share * (this.plot.clientWidth - MARGIN.l - right)}px`;
    }
    this.readout.replaceChildren(...this.words(at === null ? null : this.snap(at)));
  }

  /** The instant nearest to `at` at which a line has a point. */
  snap(at) {
    const found = this.lines.filter((line) => line.t.length).map((line) => line.t[nearest(line.t, at)]);
    return found.reduce((best, t) => (best === null || Math.abs(t - at) < Math.abs(best - at) ? t : best), null) ?? at;
  }

  words(at) {
    const made = this.options.lines.map((line, number) => {
      const drawn = this.lines[number];
      const place = at === null ? drawn.t.length - 1 : nearest(drawn.t, at);
      const value = place < 0 ? undefined : drawn.values[place];
      const near = at === null || place < 0 || Math.abs(drawn.t[place] - at) <= Math.max(this.data.resolution_seconds ?? 0, 3600) * 1000;
      const off = this.off.has(line.name);
      if (line.quiet && (at === null || value === undefined || value === null || !near)) return null;
      const text = off ? "" : value === undefined || !near ? "–" : value === null ? (line.or ?? "unknown") : this.textAt(drawn, place);
      const key = h("span", { class: "key", "aria-hidden": "true" });
      key.style.borderTopColor = colour(line.colour);
      key.style.borderTopStyle = line.dash ? "dashed" : "solid";
      const label = line.toggle
        ? h("button", { type: "button", "aria-pressed": String(!off), onclick: () => this.toggle(line.name) }, key, line.name)
        : h("span", {}, key, line.name);
      return h("span", {}, label, " ", h("b", {}, text));
    });
    return [...made, at === null ? null : h("span", {}, `${instant(at)} ${zoneName(at)}`)].filter(Boolean);
  }

  /** The value at a place, or minimum and maximum if the points stand for many snapshots. */
  textAt(line, place) {
    const value = line.values[place];
    const width = this.data.resolution_seconds * 1000;
    if (!width || line.source) return line.write(value);
    const bucket = Math.floor(line.t[place] / width);
    const other = [place - 1, place + 1].filter((near) => Math.floor(line.t[near] / width) === bucket).map((near) => line.values[near]).find((v) => typeof v === "number") ?? value;
    const [low, high] = [line.write(Math.min(value, other)), line.write(Math.max(value, other))];
    return low === high ? low : `${low} … ${high}`;
  }

  toggle(name) {
    if (this.off.has(name)) this.off.delete(name); else this.off.add(name);
    this.draw();
    this.read();
  }

  toggleTable() {
    this.behind.hidden = !this.behind.hidden;
    this.tableButton.setAttribute("aria-expanded", String(!this.behind.hidden));
    if (!this.behind.hidden && this.data) this.fillTable();
  }

  fillTable() {
    const first = Math.max(0, this.data.t.length - TABLE_ROWS);
    const rows = this.data.t.slice(first).map((t, place) => ({ t, place: place + first })).reverse();
    const own = this.lines.filter((line) => !line.source);
    const columns = [
      { name: `time (${zoneName()})`, cell: (row) => instant(row.t) },
      ...own.map((line) => ({ name: line.name, number: true, cell: (row) => (line.values[row.place] === null ? (line.or ?? "unknown") : line.write(line.values[row.place])) })),
    ];
    const more = first ? h("p", { class: "muted" }, `The newest ${TABLE_ROWS} of ${this.data.t.length} points; the CSV has all of them.`) : null;
    this.behind.replaceChildren(...[more, table(this.options.title, columns, rows)].filter(Boolean));
  }

  /** Download a PNG of the chart with its title and range. */
  async png() {
    if (!this.data) return;
    if (!window.Plotly) { withPlotly(() => this.png()); return; }
    const simulated = document.body.dataset.simulated ? " · SIMULATED DATA" : "";
    const title = `${this.options.title} · ${instant(this.range[0])} to ${instant(this.range[1])} ${zoneName(this.range[1])}${simulated}`;
    const layout = { ...this.layout(), width: 1400, height: 520, paper_bgcolor: colour("--panel"), margin: { l: 70, r: 70, t: 50, b: 40 },
      title: { text: title.replaceAll("<", "&lt;"), font: { size: 15, color: colour("--text") } }, showlegend: true };
    const data = this.traces().map((trace) => ({ ...trace, showlegend: trace.name !== undefined, name: trace.name?.replaceAll("<", "&lt;") }));
    await Plotly.downloadImage({ data, layout }, { format: "png", width: 1400, height: 520, filename: `polypipe-${this.options.id}` });
  }
}

/** The part of a line above (sign 1) or below (-1) zero. The edge drops to zero at a hole, because Plotly would fill across it. */
function side(line, sign) {
  const [x, y] = [[], []];
  line.values.forEach((value, place) => {
    if (value === null) return;
    const t = utc(line.t[place]);
    if (line.values[place - 1] === null) { x.push(t); y.push(0); }
    x.push(t);
    y.push(sign * Math.max(0, sign * value));
    if (line.values[place + 1] === null) { x.push(t); y.push(0); }
  });
  return { x, y };
}

/** One crosshair for all charts. */
function crossAt(at) {
  for (const chart of charts) chart.read(at);
}

const whenLoaded = [];
let loading = false;

/** Start Plotly once, after everything else is drawn: it keeps the page busy for a second. */
export function startPlotly() {
  if (loading) return;
  loading = true;
  const script = h("script", { src: document.getElementById("plotly").href, onload: () => { redraw(); whenLoaded.forEach((draw) => draw()); } });
  requestAnimationFrame(() => setTimeout(() => document.head.append(script)));
}

/** Call `draw` once Plotly is loaded. */
export function withPlotly(draw) { whenLoaded.push(draw); }

export function redraw() {
  for (const chart of charts) { chart.draw(); chart.read(); }
}

function toMs(value) {
  return typeof value === "number" ? value : Date.parse(String(value).replace(" ", "T") + (/Z|[+-]\d\d:?\d\d$/.test(String(value)) ? "" : "Z"));
}

/** The place of the instant nearest to `at` in an ascending list; -1 in an empty one. */
function nearest(times, at) {
  if (!times.length) return -1;
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < at) low = middle + 1; else high = middle;
  }
  return low > 0 && at - times[low - 1] < times[low] - at ? low - 1 : low;
}
