"""Generates the worked example of copy-quality.md: one simulated day and the attribution of its gap.

    .venv/bin/python docs/copy_quality_day.py

writes images/copy-quality-day.svg and the part of copy-quality.md between its two markers. The day is simulated from a
seed, so the figures change only with the code. As in production, positions are read half an hour after midnight.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from polypipe.attribution.copy_fills import compute_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.parts import PARTS
from polypipe.attribution.price_history import load_prices
from polypipe.attribution.whatif import what_if
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe.divergence.copy_rule import Rule
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.history.activity import load_activity
from polypipe.history.copy_quality import compute_quality
from polypipe.history.pnl import load_pnl
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.bot import HEADER, log_lines
from polypipe.text import money
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests, whose exchange has a clock to move
from polypipe_tests.sim.server import SimServer

HERE = Path(__file__).parent
PAGE, PICTURE = HERE / "copy-quality.md", HERE / "images" / "copy-quality-day.svg"
BEGIN, END = "<!-- made by copy_quality_day.py -->", "<!-- end -->"

SEED, EVENTS = 3, 120
BEGINS = datetime(2026, 6, 1, tzinfo=UTC)  # the simulated whale's first day
DAY = datetime(2026, 8, 28, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.08)

NAMES = {
    "slippage": "slippage",
    "missed_small": "missed: fill of less than 10 shares",
    "missed_probability": "missed: order below the minimum",
    "missed_disabled": "missed: bot switched off",
    "missed_breaker": "missed: breaker",
    "missed_error": "missed: error",
    "missed_unfilled": "missed: not or only partly filled",
    "missed_unknown": "missed: reason unknown",
    "excess": "more than the ratio",
    "own": "own trades",
    "uncopied_exits": "uncopied exits",
    "moved": "moved without a trade",
    "combos": "combos (cannot be copied)",
    "fees": "fees and rebates",
    "ratio_change": "copied at an earlier ratio",
    "unexplained": "unexplained",
}


@dataclass(frozen=True)
class Example:
    """The day's rows of the tables, and the gap at half the ratio."""

    gap: dict[str, Any]
    metrics: dict[str, Any]
    exits: list[dict[str, Any]]
    small_ratio: float | None


def simulate() -> Example:
    """Simulate the months before the day and the day itself, and fill the tables as polypipe does."""
    midnight = DAY + timedelta(minutes=30)
    with SimServer(EVENTS, SEED, start=midnight) as sim, tempfile.TemporaryDirectory() as home:
        warehouse, log = Warehouse(Path(home)), Path(home) / TRADE_LOG.file
        polymarket = Polymarket(Hosts(gamma=sim.url, data=sim.url, pnl=sim.url, clob=sim.url))
        read = _reader(midnight)
        load_activity(polymarket, warehouse, WALLETS, BEGINS, DAY)
        refresh_positions(polymarket, warehouse, WALLETS, read)
        _read_log(warehouse, log, sim)
        compute_fills(warehouse, WALLETS, BEGINS, DAY)
        sim.clock.set(midnight.timestamp() + 86_400)
        read = _reader(midnight + timedelta(days=1))
        load_activity(polymarket, warehouse, WALLETS, DAY, NEXT)
        load_pnl(polymarket, warehouse, WALLETS, DAY, NEXT, read)
        refresh_positions(polymarket, warehouse, WALLETS, read)
        _read_log(warehouse, log, sim)
        compute_quality(warehouse, WALLETS, DAY, NEXT)
        load_prices(polymarket, warehouse, WALLETS, DAY, NEXT, read)
        compute_fills(warehouse, WALLETS, DAY, NEXT)
        metrics = compute_metrics(warehouse, WALLETS, DAY, NEXT).rows[0]
        computed = compute_gap(warehouse, WALLETS, DAY, NEXT)
        halved = what_if(warehouse, WALLETS, Rule(0.04), DAY.date(), DAY.date())
    return Example(computed.rows[0], metrics, computed.exits, halved.gap)


def _reader(now: datetime) -> Callable[[], datetime]:
    return lambda: now


def _read_log(warehouse: Warehouse, path: Path, sim: SimServer) -> None:
    """Write the log of a bot that made the simulated copies until now, and ingest it."""
    lines = log_lines(sim.copy_truth(), 0, int(sim.clock.now() * 1000))
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    ingest(warehouse, TRADE_LOG, path)


def text(example: Example) -> str:
    """The part of the page between its markers."""
    gap, metrics = example.gap, example.metrics
    parts = [(name, gap[name]) for name in (*PARTS, "unexplained")]
    lines = [
        f"On {DAY:%Y-%m-%d} the whale made {money(gap['whale_pnl'])}. At a ratio of {gap['ratio']:g} the copier should",
        f"have made {money(gap['expected_pnl'])}; it made {money(gap['copier_pnl'])}. The gap is **{money(gap['gap'])}**:",
        "",
        "![Waterfall of the day's gap](images/copy-quality-day.svg)",
        "",
        "| part | USD |",
        "|---|---:|",
        *(f"| {NAMES[name]} | {money(usd)} |" for name, usd in parts if abs(usd) >= 0.005),
        f"| **gap** | **{money(gap['gap'])}** |",
        "",
        "Parts below half a cent are left out.",
        "",
        f"Of the whale's {metrics['whale_fills']} fills {metrics['eligible_fills']} had 10 shares or more, and "
        f"{metrics['copied_fills']} of these were copied:",
        f"{metrics['copy_rate']:.0f} %, {metrics['copy_rate_usd']:.0f} % by USD. "
        f"They were {metrics['fill_ratio']:.0f} % filled, half of them within",
        f"{metrics['latency_p50']:.0f} s, at {metrics['slippage_cents']:.2f} cents a share worse than the whale's price. "
        "One day is too short for an interval.",
        "",
        "| fills of the whale by outcome | fills | USD |",
        "|---|---:|---:|",
        *(
            f"| {step} | {found['fills']} | {found['usd']:,.2f} |"
            for step, found in sorted(json.loads(metrics["funnel"]).items(), key=lambda item: -item[1]["usd"])
        ),
        "",
        "Uncopied exits at the end of the day, which the whale had sold and the copier still held:",
        "",
        "| market | shares | price | at risk | hours since |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {row['title']} ({row['outcome']}) | {row['shares']:,.2f} | {row['price']:.3f} | {money(row['usd'])} | "
            f"{row['age_hours']:.0f} |"
            for row in example.exits[:5]
        ),
        "",
        "With a ratio of 0.04 (`polypipe whatif --ratio 0.04`) the gap would have been "
        f"{money(example.small_ratio or 0.0)}.",
    ]
    return "\n".join(lines)


def picture(example: Example) -> str:
    """The waterfall from expected to actual PnL, as SVG."""
    gap = example.gap
    steps = [(NAMES[name], gap[name]) for name in (*PARTS, "unexplained") if abs(gap[name]) >= 0.005]
    height, left, width = 34, 300, 560
    levels = [gap["expected_pnl"]]
    for _, usd in steps:
        levels.append(levels[-1] + usd)
    low, high = min(0.0, *levels), max(0.0, *levels)

    def x(usd: float) -> float:
        return left + width * (usd - low) / (high - low)

    def bar(row: int, name: str, start: float, end: float, fill: str, usd: float) -> list[str]:
        y = 56 + row * height
        at, size = min(x(start), x(end)), max(abs(x(end) - x(start)), 1.5)
        return [
            f'<text x="{left - 14}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{at:.1f}" y="{y}" width="{size:.1f}" height="20" fill="{fill}"/>',
            f'<text class="n" x="{left + width + 16}" y="{y + 15}">{escape(money(usd))}</text>',
        ]

    body = bar(0, "expected: ratio × whale PnL", 0.0, levels[0], "#475569", levels[0])
    for n, (name, usd) in enumerate(steps):
        fill = "#94a3b8" if name == "unexplained" else "#b91c1c" if usd < 0 else "#15803d"
        body += bar(n + 1, name, levels[n], levels[n + 1], fill, usd)
        body.append(f'<path d="M{x(levels[n]):.1f} {56 + n * height + 20}v14" stroke="#94a3b8"/>')
    body.append(f'<path d="M{x(levels[-1]):.1f} {56 + len(steps) * height + 20}v14" stroke="#94a3b8"/>')
    body += bar(len(steps) + 1, "the copier's PnL", 0.0, gap["copier_pnl"], "#475569", gap["copier_pnl"])
    bottom = 56 + (len(steps) + 2) * height
    title = f"{DAY:%Y-%m-%d}, simulated: from expected to actual PnL"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 980 {bottom + 10}" role="img" '
            'font-family="system-ui, sans-serif" font-size="15" fill="#0f172a">',
            f"<title>{escape(title)}</title>",
            "<style>.n{font-variant-numeric:tabular-nums}</style>",
            f'<rect width="980" height="{bottom + 10}" fill="#ffffff"/>',
            f'<text x="20" y="30" font-weight="600">{escape(title)}</text>',
            f'<path d="M{x(0):.1f} 48V{bottom}" stroke="#cbd5e1"/>',
            *body,
            "</svg>",
            "",
        ]
    )


def page(old: str, example: Example) -> str:
    """The page with a new part between its markers."""
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text(example)}\n{END}{after}"


def main() -> None:
    """Write both files."""
    example = simulate()
    PAGE.write_text(page(PAGE.read_text("utf-8"), example), "utf-8")
    PICTURE.write_text(picture(example), "utf-8")


if __name__ == "__main__":
    main()
