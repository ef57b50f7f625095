"""Checks of the scaling ratio: the setting against the bot's own settings and against the copier's fills."""

import json
from collections.abc import Iterator
from datetime import UTC

from polypipe.bot_profile import CLASSIC, BotProfile, ratio_of
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, warning
from polypipe.text import count
from polypipe.warehouse.connection import literal


def check_ratio(inputs: Inputs) -> Iterator[Result]:
    """The setting agrees with the bot's own settings and with the copier's fills."""
    bot = inputs.settings.bot_profile
    yield judge_bot_ratio(ratio_of(bot, inputs.bot_settings), inputs.settings.scaling_ratio, bot)
    if inputs.settings.copier_address is None or inputs.settings.whale_address is None:
        yield skipped("ratio realised", "no wallets are set")
    elif not inputs.any_data:
        yield skipped("ratio realised", "no fills are matched yet")
    else:
        yield _realised(inputs)


def judge_bot_ratio(of_bot: float | None, setting: float, bot: BotProfile = CLASSIC) -> Result:
    """The configured ratio agrees with that of the bot's own settings, of which only those count that the program uses."""
    name = "ratio of the bot"
    if of_bot is None:
        known = "is not in its source or in polypipe's environment"
        return skipped(name, f"the configured ratio is {setting:g}; the bot's {bot.ratio_setting} {known}")
    if abs(of_bot - setting) > 1e-9 * max(of_bot, setting):
        return error(
            name,
            f"the bot's {bot.ratio_setting} gives a ratio of {of_bot:g}, POLYPIPE_SCALING_RATIO is {setting:g}",
            f"set POLYPIPE_SCALING_RATIO={of_bot:g}: until then expected PnL and coverage are wrong by that factor",
        )
    return ok(name, f"{setting:g}, as the bot's {bot.ratio_setting} says")


def _realised(inputs: Inputs) -> Result:
    from polypipe.attribution.realised_ratio import ratio_warning

    settings = inputs.settings
    bot = settings.bot_profile.ratio_setting
    both = f"user1_address = {literal(settings.copier_address)} AND user2_address = {literal(settings.whale_address)}"
    with inputs.warehouse.read() as con:
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
        return warning("ratio realised", text, f"set POLYPIPE_SCALING_RATIO to the ratio of the bot's {bot}")
    span = f"{count(window, 'day')} to {day.astimezone(UTC):%Y-%m-%d}"
    return ok("ratio realised", f"{realised:.4g} (median of {pairs} pairs, {span}), set is {settings.scaling_ratio:g}")
