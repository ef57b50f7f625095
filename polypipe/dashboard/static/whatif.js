// The what-if form: what the copier would have made under another ratio, size floor or tiers, next to what it made.

import { $, h, tip, unknown } from "./dom.js";
import { count, money, percent } from "./format.js";
import { get } from "./net.js";
import { ratios } from "./ratios.js";

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
    h("div", { id: "whatif-answer", role: "status", "aria-live": "polite" }, h("p", { class: "muted" }, "What the copier would have made on stored days under this rule, and at which ratio to copy.")));
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
  const cell = (value, write, reason, range) => h("td", { class: "n" }, value === null ? unknown(reason) : [write(value), range]);
  const range = (name) => (data[`${name}_low`] === null ? null : h("small", { class: "below" }, `95 %: ${usd(data[`${name}_low`])} to ${usd(data[`${name}_high`])}`));
  const line = (name, title, actual, field, write, interval) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "named" }, name, tip(title))), cell(data[actual], write, why[actual]), cell(data[field], write, why[field], interval && range(interval)));
  const whale = data.whale_pnl === null ? "" : ` of ${usd(data.whale_pnl)}`;
  const csv = (what) => `/api/export.csv?${new URLSearchParams({ what, ...asked })}`;
  return [
    ...data.warnings.map((text) => h("p", { class: "notice warn" }, text)),
    h("p", { class: "advice", id: "whatif-advice" }, data.advice.sentence),
    h("p", { class: "sub" }, `${data.first} to ${data.last}, ${count(data.days_known)} of ${count(data.days)} days known: ${data.rule_in_words}`),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The rule next to the one in force" }, h("table", { id: "whatif-table" }, h("caption", { class: "hidden" }, "The rule next to the one in force"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), h("th", { scope: "col", class: "n" }, `in force (${data.ratio_in_force})`), h("th", { scope: "col", class: "n" }, "what if"))),
      h("tbody", {},
        line("Copier PnL", "In force: as measured. What if: each copy replayed at the size of the rule, with the orders that fall below or rise above the bot's minimum, slippage by order size, and fees.", "copier_pnl", "replayed_pnl", usd, "replayed"),
        line("Ratio × whale PnL", `The ratio × whale PnL${whale}. If every fill was copied at the whale's price, floor and tiers of the what-if would change it by ${usd(data.paper.effect)}.`, "expected_in_force", "plain_pnl", usd),
        line("Gap", "Copier PnL − ratio × whale PnL.", "gap_in_force", "gap", usd, "gap"),
        line("Coverage", "Held ÷ what the rule would hold at the end, by value.", "coverage_in_force", "coverage", percent)))),
    h("p", { class: "muted", id: "replay-error" }, data.replay_error === null ? `Replay error unknown: ${why.replay_error}.` : `Replay error ${usd(data.replay_error)}: the rule in force, replayed, makes ${usd(data.replayed_in_force)} over ${count(data.replay_days)} days.`),
    h("p", { class: "muted" }, `The rule copies ${count(data.paper.asked)} of the whale's ${count(data.paper.fills)} fills; ${count(data.paper.below_minimum)} orders would be below the bot's minimum.${data.size_curve.reason ? ` ${data.size_curve.reason[0].toUpperCase()}${data.size_curve.reason.slice(1)}.` : ""}`),
    h("a", { class: "button", href: csv("whatif"), download: "" }, "CSV"),
    ...ratios(data, csv("whatif_grid")),
  ];
}
