// The what-if form: the numbers under another ratio, size floor or tiers, next to those in force.

import { $, h, tip, unknown } from "./dom.js";
import { count, money, percent } from "./format.js";
import { get } from "./net.js";

const FIELDS = ["ratio", "floor", "tiers", "days"];

/** Build the form once, with the rule in force as its values. */
export function whatIfForm(box, data) {
  if (box.firstChild) return;
  const field = (name, label, hint, options) => h("label", { title: hint }, label, h("input", { name, required: true, ...options }));
  box.replaceChildren(
    h("form", { class: "rule", id: "whatif-form", "aria-label": "What if", onsubmit: (event) => { event.preventDefault(); ask(event.currentTarget, data.until); } },
      field("ratio", "Ratio", "copier shares for each whale share", { type: "number", step: "any", min: "0.000001", max: "100", value: data.metrics.ratio ?? document.body.dataset.ratio }),
      field("floor", "Floor, shares", `smaller fills are not copied; the bot uses ${document.body.dataset.floor}`, { type: "number", step: "any", min: "0", value: document.body.dataset.floor }),
      field("tiers", "Tiers", "SHARES:FACTOR, separated by commas: purchases of at least SHARES are multiplied by FACTOR; or none", { type: "text", value: document.body.dataset.tiers, maxlength: 100, autocomplete: "off" }),
      field("days", "Days", "1 to 90, ending with the day shown above", { type: "number", min: "1", max: "90", step: "1", value: "30" }),
      h("button", { type: "submit" }, "Compute")),
    h("div", { id: "whatif-answer", role: "status", "aria-live": "polite" }, h("p", { class: "muted" }, "Expected PnL, gap and coverage of stored days as if this rule had been in force. Copier PnL stays as measured.")));
}

async function ask(form, until) {
  const asked = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value.replaceAll(" ", "")]));
  asked.until = $("quality-until").value || until;
  const [box, button] = [$("whatif-answer"), form.querySelector("button")];
  button.disabled = true;
  box.setAttribute("aria-busy", "true");
  box.replaceChildren(h("p", { class: "muted" }, "computing"));
  try {
    box.replaceChildren(...answer(await get("/api/quality/whatif", asked), asked));
  } catch (error) {
    box.replaceChildren(h("p", { class: "notice bad" }, error.message));
  }
  button.disabled = false;
  box.removeAttribute("aria-busy");
}

function answer(data, asked) {
  const usd = (value) => money(value, { signed: true });
  const why = data.reasons;
  const cell = (value, write, reason) => h("td", { class: "n" }, value === null ? unknown(reason) : write(value));
  const line = (name, title, actual, field, write) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "named" }, name, tip(title))), cell(data[actual], write, why[actual]), cell(data[field], write, why[field]));
  return [
    ...data.warnings.map((text) => h("p", { class: "notice warn" }, text)),
    h("p", { class: "sub" }, `${data.first} to ${data.last}, ${count(data.days_known)} of ${count(data.days)} days known: ${data.rule_in_words}`),
    h("table", { id: "whatif-table" }, h("caption", { class: "hidden" }, "The rule next to the one in force"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), h("th", { scope: "col", class: "n" }, `in force (${data.ratio_in_force})`), h("th", { scope: "col", class: "n" }, "what if"))),
      h("tbody", {},
        line("Expected PnL", `ratio × whale PnL${data.whale_pnl === null ? "" : ` of ${usd(data.whale_pnl)}`}; floor and tiers of the what-if change it by ${usd(data.paper.effect)}`, "expected_in_force", "expected_pnl", usd),
        line("Gap", `copier PnL${data.copier_pnl === null ? "" : ` of ${usd(data.copier_pnl)}`} − expected`, "gap_in_force", "gap", usd),
        line("Coverage", "held ÷ what the rule would hold at the end, by value", "coverage_in_force", "coverage", percent))),
    h("p", { class: "muted" }, `The rule copies ${count(data.paper.asked)} of the whale's ${count(data.paper.fills)} fills; ${count(data.paper.below_minimum)} orders would be below the bot's minimum.`),
    h("a", { class: "button", href: `/api/export.csv?${new URLSearchParams({ what: "whatif", ...asked })}`, download: "" }, "CSV"),
  ];
}
