"""`polypipe refresh`: materialize assets now, in this process, without servers; for cron."""

import time
from collections.abc import Callable, Sequence
from datetime import date
from difflib import get_close_matches

import dagster as dg
from rich.console import Console

from polypipe.caches.registry import CACHES
from polypipe.cli.dagster_here import FILE_OF, Outcome, here
from polypipe.clock import utc_now
from polypipe.definitions import build_defs
from polypipe.errors import PolypipeError
from polypipe.history.assets import DAYS_A_RUN
from polypipe.orchestration.day_ranges import DAY, Range, named_days, ranges_of
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import CrawlReport
from polypipe.settings import Settings

CRAWL = "sports_events"
DEFAULT = (CRAWL, *(spec.asset for spec in CACHES))

Say = Callable[[str], None]


def refresh(
    settings: Settings, names: Sequence[str], allow_shrink: bool, first: date | None, last: date | None, say: Say
) -> bool:
    """Materialize the assets (default: the crawl and every cache file) and print one line for each.

    Assets of past days are materialized for the days from `first` to `last`, by default yesterday, at most 30 a run.
    Returns True if all succeeded. Raises `PolypipeError` for an unknown asset or days outside of history.
    """
    console = Console(stderr=True)
    began = time.monotonic()
    good = True
    with console.status("starting") as status:

        def progress(report: CrawlReport) -> None:
            status.update(
                f"crawling: page {report.pages}, {report.events} events, {report.markets} markets, "
                f"{report.bytes / 1e6:.0f} MB, {report.seconds:.0f} s"
            )

        defs = build_defs(settings=settings, polymarket=Polymarket.of(settings, progress))
        wanted = list(dict.fromkeys(names)) or list(DEFAULT)
        daily = check_names(defs, wanted)
        plain = [name for name in wanted if name not in daily]
        if not daily and (first or last):
            raise PolypipeError(f"days are for assets of past days; {', '.join(plain)} has no days")
        days = _days(settings, first, last) if daily else []
        config = {name: {"config": {"allow_shrink": allow_shrink}} for name in plain if name in FILE_OF}
        with here(defs, settings) as this:
            runs: list[tuple[list[str], Range | None]] = [(plain, None)] if plain else []
            runs += [(daily, days_of_run) for days_of_run in days]
            for assets, days_of_run in runs:
                status.update(f"refreshing {', '.join(assets)}" + (f", {days_of_run}" if days_of_run else ""))
                outcomes, failed_checks = this.run(assets, days_of_run, config if days_of_run is None else None)
                for line in [*_lines(outcomes, days_of_run), *failed_checks]:
                    say(line)
                good = good and not any(outcome.error for outcome in outcomes.values())
    say(f"{'done' if good else 'FAILED'} in {time.monotonic() - began:.1f} s")
    return good


def check_names(defs: dg.Definitions, names: Sequence[str]) -> list[str]:
    """Those of the assets that are partitioned by day. Raises `PolypipeError` for a name that cannot be materialized."""
    graph = defs.resolve_asset_graph()
    known = sorted(key.to_user_string() for key in graph.materializable_asset_keys)
    for name in names:
        if name not in known:
            if graph.has(dg.AssetKey(name)):
                raise PolypipeError(
                    f"{name} is never materialized: its asset is a node in the graph without data of its own"
                )
            meant = get_close_matches(name, known, 1)
            hint = f"did you mean {meant[0]}?" if meant else None
            raise PolypipeError(f"unknown asset {name!r}; choose from {', '.join(known)}", hint)
    return [name for name in names if graph.get(dg.AssetKey(name)).is_partitioned]


def _days(settings: Settings, first: date | None, last: date | None) -> list[Range]:
    yesterday = (utc_now() - DAY).date()
    days = named_days(settings.history_start, yesterday, first or yesterday, last or yesterday)
    return ranges_of({"": days}, DAYS_A_RUN)


def _lines(outcomes: dict[str, Outcome], days: Range | None) -> list[str]:
    """One line an asset; of an asset of past days with its days."""
    lines = []
    for asset, outcome in outcomes.items():
        name = FILE_OF.get(asset, asset) if days is None else f"{asset}, {days}"
        refused = "NOT accepted" if asset in FILE_OF or asset == CRAWL else "FAILED"
        if outcome.error is None:
            lines.append(f"{name}: {outcome.line}")
        elif outcome.not_started and asset in FILE_OF:
            lines.append(f"{name}: NOT refreshed: the crawl before it failed")
        else:
            lines.append(f"{name}: {refused}: {outcome.error}")
    return lines
