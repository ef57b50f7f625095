"""Commands on the drift between copier and whale: watch it live, where it came from, what another rule would have done."""

import math
import re
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polypipe.bounds import FIRST_YEAR, LAST_YEAR, MOST_FACTOR, MOST_SHARES
from polypipe.cli.common import SIMULATED
from polypipe.errors import PolypipeError
from polypipe.settings import load_settings

if TYPE_CHECKING:
    from polypipe.settings import Settings
    from polypipe.wallets import Wallets

_DAY = click.DateTime(["%Y-%m-%d"])
_FROM = click.option("--from", "first", type=_DAY, help="First day, UTC; 30 days before the last one.")
_TO = click.option("--to", "last", type=_DAY, help="Last day, UTC; the newest that is stored.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object with every number and reason.")


@click.command()
@click.option("--interval", default=60.0, show_default=True, type=click.FloatRange(min=1), help="Seconds between updates.")
@click.option("--duration", type=click.FloatRange(min=0), help="End by itself after so many seconds.")
@click.option("--once", is_flag=True, help="One update; exit code 1 if no source answered.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with every number and reason.")
@click.option("--copier", metavar="ADDRESS", help="Instead of the wallet of the settings; shown by its address.")
@click.option("--whale", metavar="ADDRESS", help="Likewise.")
@click.option("--ratio", help="Scaling ratio instead of that of the settings.")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Append each update to this file, as JSON lines."
)
def watch(
    interval: float,
    duration: float | None,
    once: bool,
    as_json: bool,
    copier: str | None,
    whale: str | None,
    ratio: str | None,
    save: Path | None,
) -> None:
    """Show the divergence of copier and whale live, without database or servers. Ctrl-C ends with a summary."""
    from polypipe.divergence.watch import Options
    from polypipe.divergence.watch import watch as run_watch

    overrides = {"POLYPIPE_SCALING_RATIO": ratio} if ratio is not None else {}
    for who, address in (("COPIER", copier), ("WHALE", whale)):
        if address == "":
            raise PolypipeError(f"--{who.lower()}: '' is not 40 hex digits, with or without 0x")
        if address is not None:  # the label of the settings belongs to the wallet of the settings
            overrides |= {f"POLYPIPE_{who}_ADDRESS": address, f"POLYPIPE_{who}_LABEL": ""}
    settings = load_settings(overrides=overrides)
    if settings.simulated:
        click.echo(SIMULATED, err=as_json)
    sys.exit(run_watch(settings, Options(interval, duration, once, as_json, save), sys.stdout, sys.stderr))


@click.command()
@_FROM
@_TO
@_JSON
def quality(first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """How well fills were copied over any stored days, and where the gap went: the page has 1, 7 and 30 days."""
    from polypipe.attribution.quality_report import quality_of
    from polypipe.attribution.quality_text import quality_lines
    from polypipe.warehouse import Warehouse

    settings, wallets = _settings_and_wallets()
    days = _checked(first, last)
    if settings.simulated:
        click.echo(SIMULATED, err=as_json)
    found = quality_of(Warehouse(settings.home), wallets, *days)
    click.echo(found.as_json() if as_json else "\n".join(quality_lines(found)))


@click.command()
@click.option(
    "--ratio",
    type=click.FloatRange(min=0, min_open=True, max=MOST_FACTOR),
    help="Scaling ratio; without it, that of the settings.",
)
@click.option(
    "--floor", type=click.FloatRange(min=0, max=MOST_SHARES), help="Copy no fill below so many shares (the bot: 10)."
)
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    metavar="SHARES:FACTOR",
    help="Copy purchases from SHARES on by FACTOR (the bot: 4000:1.25); may be given again.",
)
@_FROM
@_TO
@_JSON
def whatif(
    ratio: float | None,
    floor: float | None,
    tiers: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    as_json: bool,
) -> None:
    """Recompute expected PnL, gap and coverage over stored days as if another ratio, floor or tiers had been in force."""
    import json

    from polypipe.attribution.whatif import bot_rule, what_if
    from polypipe.attribution.whatif_text import whatif_lines
    from polypipe.warehouse import Warehouse

    settings, wallets = _settings_and_wallets()
    for name, number in (("--ratio", ratio), ("--floor", floor)):
        if number is not None and math.isnan(number):  # which a range lets through
            raise PolypipeError(f"{name} {number} is not a number")
    days = _checked(first, last)
    rule = bot_rule(wallets.ratio if ratio is None else ratio, floor, _tiers(tiers))
    if settings.simulated:
        click.echo(SIMULATED, err=as_json)
    answer = what_if(Warehouse(settings.home), wallets, rule, *days)
    click.echo(json.dumps(answer.as_json()) if as_json else "\n".join(whatif_lines(answer)))


def _settings_and_wallets() -> "tuple[Settings, Wallets]":
    """Both, or the end of the command in one line."""
    settings = load_settings()
    wallets = settings.wallets
    if wallets is None:
        raise PolypipeError(settings.wallets_missing)
    return settings, wallets


def _checked(first: datetime | None, last: datetime | None) -> tuple[date | None, date | None]:
    """The days; a year that no data can have ends the command in one line."""
    for name, day in (("--from", first), ("--to", last)):
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise PolypipeError(f"{name} {day:%Y-%m-%d}: a day is in the years {FIRST_YEAR} to {LAST_YEAR}")
    return (first.date() if first else None, last.date() if last else None)


def _tiers(texts: tuple[str, ...]) -> list[tuple[float, float]]:
    """(shares, factor) of each; a bad one ends the command with its one line."""
    pairs: dict[float, float] = {}
    for text in texts:
        numbers = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", text)
        if numbers is None:
            raise PolypipeError(f"--tier {text!r} is not SHARES:FACTOR, as in 4000:1.25")
        shares, factor = float(numbers[1]), float(numbers[2])
        if shares > MOST_SHARES or factor > MOST_FACTOR:
            raise PolypipeError(f"--tier {text!r}: at most {MOST_SHARES:,.0f} shares, and a factor of {MOST_FACTOR:g}")
        if shares in pairs:
            raise PolypipeError(f"--tier {text!r}: {shares:,g} shares have the factor {pairs[shares]:g} already")
        pairs[shares] = factor
    return list(pairs.items())
