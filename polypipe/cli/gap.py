"""Commands about the gap between copier and whale: live, over past days, and under another rule."""

import math
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polypipe.bounds import MOST_FACTOR, MOST_SHARES
from polypipe.cli.common import FiniteRange, from_option, json_option, marked_settings, to_option
from polypipe.errors import PolypipeError

if TYPE_CHECKING:
    from polypipe.wallets import Wallets
    from polypipe.warehouse import Warehouse


@click.command()
@click.option("--interval", default=60.0, show_default=True, type=FiniteRange(min=1), help="Seconds between updates.")
@click.option("--duration", type=FiniteRange(min=0), help="Stop after this many seconds.")
@click.option("--once", is_flag=True, help="Print one update. Exit code 1 if no source answered.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, with all numbers and reasons.")
@click.option("--copier", metavar="ADDRESS", help="Wallet to use instead of POLYPIPE_COPIER_ADDRESS.")
@click.option("--whale", metavar="ADDRESS", help="Wallet to use instead of POLYPIPE_WHALE_ADDRESS.")
@click.option("--ratio", help="Scaling ratio to use instead of POLYPIPE_SCALING_RATIO.")
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
    """Show the gap between copier and whale live, without database or servers. Ctrl-C prints a summary and stops.

    A wallet named on the command line is shown by its address, without the label of the settings.
    """
    from polypipe.divergence.watch import Options
    from polypipe.divergence.watch import watch as run_watch

    overrides = {"POLYPIPE_SCALING_RATIO": ratio} if ratio is not None else {}
    for who, address in (("COPIER", copier), ("WHALE", whale)):
        if address == "":
            raise PolypipeError(f"--{who.lower()}: '' is not 40 hex digits, with or without 0x")
        if address is not None:  # the label of the settings belongs to the wallet of the settings
            overrides |= {f"POLYPIPE_{who}_ADDRESS": address, f"POLYPIPE_{who}_LABEL": ""}
    settings = marked_settings(to_stderr=as_json, overrides=overrides)
    sys.exit(run_watch(settings, Options(interval, duration, once, as_json, save), sys.stdout, sys.stderr))


@click.command()
@from_option
@to_option
@json_option
def quality(first: date | None, last: date | None, as_json: bool) -> None:
    """Report how well fills were copied over any stored days, and what caused the gap.

    The dashboard has the same for the last 1, 7 and 30 days.
    """
    from polypipe.attribution.quality_report import quality_of
    from polypipe.attribution.quality_text import quality_lines

    warehouse, wallets = _stored(as_json)
    found = quality_of(warehouse, wallets, first, last)
    click.echo(found.as_json() if as_json else "\n".join(quality_lines(found)))


@click.command()
@click.option(
    "--ratio", type=click.FloatRange(min=0, min_open=True, max=MOST_FACTOR), help="Scaling ratio. Default: the setting."
)
@click.option(
    "--floor",
    type=click.FloatRange(min=0, max=MOST_SHARES),
    help="Smallest fill to copy, in shares. Default: the bot's.",
)
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    metavar="SHARES:FACTOR",
    help="Multiply copies of purchases from SHARES up by FACTOR, as 4000:1.25. Default: the bot's. Repeatable.",
)
@from_option
@to_option
@json_option
def whatif(
    ratio: float | None, floor: float | None, tiers: tuple[str, ...], first: date | None, last: date | None, as_json: bool
) -> None:
    """Replay the copier over stored days under another ratio, floor or tiers: PnL, gap, cost, capital, and advice."""
    import json

    from polypipe.attribution.whatif import what_if
    from polypipe.attribution.whatif_text import whatif_lines
    from polypipe.divergence.copy_rule import rule_of

    for name, number in (("--ratio", ratio), ("--floor", floor)):
        if number is not None and math.isnan(number):  # a click range accepts it
            raise PolypipeError(f"{name} {number} is not a number")
    parsed = _tiers(tiers)
    warehouse, wallets = _stored(as_json)
    rule = rule_of(wallets.bot, wallets.ratio if ratio is None else ratio, floor, parsed)
    answer = what_if(warehouse, wallets, rule, first, last)
    click.echo(json.dumps(answer.as_json()) if as_json else "\n".join(whatif_lines(answer)))


def _stored(as_json: bool) -> "tuple[Warehouse, Wallets]":
    """The tables and the pair. Raises `PolypipeError` with what to set while a wallet is missing."""
    from polypipe.warehouse import Warehouse

    settings = marked_settings(to_stderr=as_json)
    wallets = settings.wallets
    if wallets is None:
        raise PolypipeError(settings.wallets_missing)
    return Warehouse(settings.home), wallets


def _tiers(texts: tuple[str, ...]) -> list[tuple[float, float]]:
    """Returns (shares, factor) of each tier. Raises `PolypipeError` for a bad one."""
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
