// Making elements. Text goes in as text: nothing in this page is ever parsed as HTML.

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

/** Grey "unknown" with its reason. */
export function unknown(reason, { brief = false } = {}) {
  return h("span", { class: "unknown", title: reason }, "unknown", brief ? null : h("small", {}, reason));
}

/** A table: columns are {name, cell(row), number, title}; rows any objects. */
export function table(caption, columns, rows, { rowClass = () => null } = {}) {
  const cells = (row) => columns.map((column, place) => {
    const content = column.cell(row);
    return h(place ? "td" : "th", { class: column.number ? "n" : column.whole ? "whole" : null, scope: place ? null : "row" }, content);
  });
  return h("table", {},
    h("caption", { class: "hidden" }, caption),
    h("thead", {}, h("tr", {}, columns.map((column) =>
      h("th", { scope: "col", class: column.number ? "n" : null, title: column.title, "aria-sort": column.sort }, column.head ?? column.name)))),
    h("tbody", {}, rows.map((row) => h("tr", { class: rowClass(row) }, cells(row)))));
}
