"""What commands share: settings with the mark of simulated data, and the options for days and JSON."""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

import click

from polypipe.bounds import FIRST_YEAR, LAST_YEAR
from polypipe.errors import PolypipeError
from polypipe.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

SIMULATED = "SIMULATED DATA: everything below comes from polypipe's own stand-in, not from Polymarket"


class FiniteRange(click.FloatRange):
    """A range of numbers without nan and the infinities, which click's own range lets pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Fails like any other wrong value."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def marked_settings(to_stderr: bool = False, overrides: Mapping[str, str] | None = None) -> Settings:
    """Load the settings; for a demo, first print that all data is simulated.

    `to_stderr` keeps the mark out of output that programs read.
    """
    settings = load_settings(overrides=overrides)
    mark_simulated(settings, to_stderr)
    return settings


def mark_simulated(settings: Settings | None, to_stderr: bool = False) -> None:
    """Print that all data is simulated, if these are the settings of a demo."""
    if settings is not None and settings.simulated:
        click.echo(SIMULATED, err=to_stderr)


def _day(ctx: click.Context, param: click.Parameter, value: datetime | None) -> date | None:
    """The date of an option. Raises `PolypipeError` for a year that data cannot have."""
    if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise PolypipeError(f"{param.opts[0]} {value:%Y-%m-%d}: a day is in the years {FIRST_YEAR} to {LAST_YEAR}")
    return value.date() if value is not None else None


def day_option(*names: str, help: str) -> Callable[[F], F]:
    """An option whose value is a UTC day, as `2026-11-30`."""
    return click.option(*names, type=click.DateTime(["%Y-%m-%d"]), callback=_day, help=help)


from_option = day_option("--from", "first", help="First day, UTC. Default: 30 days before the last.")
to_option = day_option("--to", "last", help="Last day, UTC. Default: the newest stored day.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all numbers and reasons.")


def check_finished(settings: Settings) -> None:
    """Raise `PolypipeError` if a restore into the home was interrupted."""
    from polypipe.runtime.unfinished import unfinished

    if cut_off := unfinished(settings.home):
        raise PolypipeError(cut_off)
