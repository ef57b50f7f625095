"""Checks of the bot's profile: its choice, the reason, and the limits of its rule."""

from collections.abc import Iterator, Sequence

from polypipe.bot_detection import Detected, Trader, detect, traders
from polypipe.bot_profile import TRADERS, BotProfile
from polypipe.divergence.copy_rule import rule_of
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, ok, warning
from polypipe.setting_sources import BOT, DEFAULT, look_up, read_layers
from polypipe.text import count
from polypipe.variables import VARIABLES

NAME = "bot profile"
_SET = "POLYPIPE_BOT_PROFILE"


def check_profile(inputs: Inputs) -> Iterator[Result]:
    """The profile is that of the bot that runs, and its rule describes that bot."""
    settings = inputs.settings
    bot, source = settings.bot_profile, settings.sources["bot_profile"]
    found = detect(settings.bot_dir)
    yield judge_profile(bot, source, found, rule_in_words(bot, settings.scaling_ratio))
    if note := bot.sizing_note(settings.scaling_ratio):
        yield warning("bot strategy", note, "read these numbers with care, or set COPY_STRATEGY=PERCENTAGE")
    if bot.name == TRADERS.name:
        (copier,) = (variable for variable in VARIABLES if variable.field == "copier_address")
        _, name, source = look_up(copier, read_layers(dotenv=inputs.dotenv))
        separate = inputs.bot_settings.get("USE_SEPARATE_FUNDER", "").lower() in ("true", "1")
        if name == "FUNDER_ADDRESS" and source != DEFAULT and not separate:
            yield warning(
                "bot wallet",
                "the bot ignores FUNDER_ADDRESS unless USE_SEPARATE_FUNDER is true: its wallet is that of its private key",
                "set POLYPIPE_COPIER_ADDRESS to that wallet",
            )
        yield from judge_traders(traders(settings.bot_dir), settings.whale_address)


def judge_profile(bot: BotProfile, source: str, found: Detected, rule: Sequence[str]) -> Result:
    """Compares the configured profile with the profile that the bot's directory shows."""
    shown = found.profile
    if shown is not None and shown.name != bot.name:
        finding = f"{_SET} is {bot.name}, but {found.evidence}, which only {shown.name} has"
        return warning(NAME, finding, f"remove {_SET}, or set it to {shown.name}", rule)
    if found.other is not None:
        finding = f"{bot.name}: {found.evidence}; the files are those of {found.other.name}"
        return warning(NAME, finding, f"set {_SET} to the bot that runs", rule)
    if source not in (BOT, DEFAULT):
        return ok(NAME, f"{bot.name}, set by {_SET} ({source})", rule)
    why = found.evidence or f"nothing in its directory identifies the bot; set {_SET} if another bot runs"
    return ok(NAME, f"{bot.name}: {why}", rule)


def judge_traders(followed: Sequence[Trader], whale: str | None) -> Iterator[Result]:
    """`traders.json` enables the whale and no other trader."""
    others = [trader for trader in followed if trader.address != whale]
    if followed and whale and len(others) == len(followed):
        yield warning("bot traders", "traders.json does not enable the whale", "add it, or correct POLYPIPE_WHALE_ADDRESS")
    elif others:
        yield warning(
            "bot traders",
            f"traders.json enables {count(len(others), 'other trader')} besides the whale",
            "their copies are own fills of this pair: the bot's log does not name the wallet of a fill",
        )


def rule_in_words(bot: BotProfile, ratio: float) -> list[str]:
    """Lines that describe the configured rule."""
    below = {"chance": "sent as the minimum by chance", "raised": "raised to the minimum", "skipped": "skipped"}
    sales = "sales too" if bot.sales_expire else f"sales up to {bot.rest:,.0f} s"
    return [
        bot.bot,
        rule_of(bot, ratio).describe(),
        f"orders of at least {bot.minimum_in_words()}; smaller ones are {below[bot.below_minimum]}",
        f"resting orders: {bot.rest_in_play:g} s in play, {bot.rest:,.0f} s otherwise, {sales}",
    ]
