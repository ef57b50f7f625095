"""Checks of the scaling ratio: what is set, against the bot's source and against what the copier's fills show."""

import json
from collections.abc import Iterator
from datetime import UTC

from polypipe.doctor.inputs import Facts
from polypipe.doctor.result import Result, error, ok, skipped, warning
from polypipe.text import count
from polypipe.warehouse.connection import literal


def check_ratio(facts: Facts) -> Iterator[Result]:
    """The ratio of the settings against the one compiled into the bot, and against the copier's fills."""
    yield judge_bot_ratio(facts.bot_program.ratio, facts.settings.scaling_ratio)
    if facts.settings.copier_address is None or facts.settings.whale_address is None:
        yield skipped("ratio realised", "no wallets are set")
    elif not facts.any_data:
        yield skipped("ratio realised", "no fills are matched yet")
    else:
        yield _realised(facts)


def judge_bot_ratio(compiled: float | None, setting: float) -> Result:
    """What the bot's source says."""
    name = "ratio of the bot"
    if compiled is None:
        return skipped(name, f"POLYPIPE_SCALING_RATIO is {setting:g}; the bot's source is not in its directory to compare")
    if abs(compiled - setting) > 1e-9 * max(compiled, setting):
        return error(
            name,
            f"the bot's source says SCALING_RATIO {compiled:g}, POLYPIPE_SCALING_RATIO is {setting:g}",
            f"set POLYPIPE_SCALING_RATIO={compiled:g}: expected PnL and coverage are wrong by the factor between them",
        )
    return ok(name, f"{setting:g}, as in the bot's source")


def _realised(facts: Facts) -> Result:
    from polypipe.attribution.realised_ratio import ratio_warning

    settings = facts.settings
    both = f"user1_address = {literal(settings.copier_address)} AND user2_address = {literal(settings.whale_address)}"
    with facts.warehouse.read() as con:
        rows = con.execute(
            "SELECT day, window_days, realised_ratio, realised_pairs, reasons FROM copy_metrics_daily "  # noqa: S608
            f"WHERE {both} "
            "ORDER BY realised_ratio IS NULL, day DESC, window_days DESC LIMIT 1"
        ).fetchall()
    if not rows:
        return skipped("ratio realised", "no fills are matched yet")
    day, window, realised, pairs, reasons = rows[0]
    if realised is None:
        return skipped("ratio realised", f"not known: {json.loads(reasons).get('realised_ratio', 'no reason given')}")
    if text := ratio_warning(realised, pairs, settings.scaling_ratio):
        return warning("ratio realised", text, "set POLYPIPE_SCALING_RATIO to the bot's SCALING_RATIO")
    span = f"{count(window, 'day')} to {day.astimezone(UTC):%Y-%m-%d}"
    return ok("ratio realised", f"{realised:.4g} (median of {pairs} pairs, {span}), set is {settings.scaling_ratio:g}")
