// Creating elements. Text is inserted as text: this page never parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** h("td", {class: "n"}, "text", node, …) */
export function h(tag, attributes = {}, ...children) { return fill(document.createElement(tag), attributes, children); }
export function svg(tag, attributes = {}, ...children) { return fill(document.createElementNS(SVG, tag), attributes, children); }
export const $ = (id) => document.getElementById(id);

/**
 * Replace the children of an element on new data. Focus and scroll positions are kept by place; open and closed details
 * by their data-fold or place.
 */
export function redraw(node, ...children) {
  const places = () => [...node.querySelectorAll("a, button, summary, [tabindex]")];
  const boxes = () => [...node.querySelectorAll(".scroll")];
  const folds = () => [...node.querySelectorAll("details")].map((fold, place) => [fold.dataset.fold ?? place, fold]);
  const focused = places().indexOf(document.activeElement);
  const scrolled = boxes().map((box) => [box.scrollLeft, box.scrollTop]);
  const open = new Map(folds().map(([name, fold]) => [name, fold.open]));
  node.replaceChildren(...children);
  for (const [name, fold] of folds()) fold.open = open.get(name) ?? fold.open;
  boxes().forEach((box, place) => { if (scrolled[place]) box.scrollTo(...scrolled[place]); });
  places()[focused]?.focus({ preventScroll: true });
}

/** Grey "unknown" with its reason. */
export function unknown(reason, { brief = false } = {}) {
  return h("span", { class: "unknown", title: reason }, "unknown", brief ? null : h("small", {}, reason));
}

let placed = null; // moves the last shown bubble next to its button
document.addEventListener("scroll", () => placed?.(), { capture: true, passive: true });

/** A button with a bubble that explains a number, for mouse, keyboard and screen readers. */
export function tip(text) {
  const bubble = h("span", { class: "bubble", "aria-hidden": "true" }, text);
  const place = () => {
    placed = place;
    const box = button.getBoundingClientRect();
    const room = document.documentElement.clientWidth - bubble.offsetWidth - 8;
    bubble.style.left = `${Math.max(8, Math.min(room, box.right - bubble.offsetWidth + 6))}px`;
    const below = box.bottom + 6;
    bubble.style.top = `${below + bubble.offsetHeight > window.innerHeight ? box.top - bubble.offsetHeight - 6 : below}px`;
  };
  const button = h("button", { type: "button", class: "tip", "aria-label": `About this number: ${text}`, onpointerenter: place, onfocus: place }, "i", bubble);
  return button;
}

/** A small panel with one number; null is unknown with its reason. */
export function fact(title, value, write, { reason, note, formula, mood, id } = {}) {
  const known = value !== null && value !== undefined;
  return h("div", { class: `panel ${known && mood ? mood : ""}`, id },
    h("h3", { class: formula ? "with-tip" : null }, title, formula ? tip(formula) : null),
    h("p", { class: "value" }, known ? write(value) : unknown(reason ?? "no reason recorded")), note ? h("p", { class: "word" }, note) : null);
}

/** A table: columns are {name, cell(row), number, title, tip}; rows any objects. */
export function table(caption, columns, rows, { rowClass = () => null } = {}) {
  const cells = (row) => columns.map((column, place) => {
    const content = column.cell(row);
    return h(place ? "td" : "th", { class: column.number ? "n" : column.whole ? "whole" : null, scope: place ? null : "row" }, content);
  });
  return h("table", {},
    h("caption", { class: "hidden" }, caption),
    h("thead", {}, h("tr", {}, columns.map((column) =>
      h("th", { scope: "col", class: column.number ? "n" : null, title: column.title, "aria-sort": column.sort, abbr: column.tip ? column.name : null }, column.head ?? column.name, column.tip ? tip(column.tip) : null)))),
    h("tbody", {}, rows.map((row) => h("tr", { class: rowClass(row) }, cells(row)))));
}
