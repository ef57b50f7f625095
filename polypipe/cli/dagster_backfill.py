"""A backfill without servers: which days of which assets are to be loaded, and loading them in this process."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from polypipe.attribution.stored_days import STORED_DAYS
from polypipe.cli.dagster_here import Here, here
from polypipe.cli.dagster_refresh import check_names
from polypipe.cli.day_progress import DayProgress
from polypipe.clock import utc_now
from polypipe.definitions import build_defs
from polypipe.errors import PolypipeError
from polypipe.orchestration.day_ranges import DAY, Range, Step, by_reason, choose, named_days, ranges_of, steps
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts, PolymarketHttp
from polypipe.settings import Settings
from polypipe.text import count
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse

Say = Callable[[str], None]
Days = Mapping[str, Sequence[date]]
Reasons = dict[tuple[str, date], str]
"""(asset, day) -> why the day is not complete."""

SHOWN_REASONS = 20
NO_LIMIT = 10**6


@dataclass
class Requests:
    """Makes the clients of a backfill and counts their requests, retries included."""

    clients: list[PolymarketHttp] = field(default_factory=list)

    def __call__(self, hosts: Hosts) -> PolymarketHttp:
        """A client; called for each piece of work."""
        self.clients.append(PolymarketHttp(hosts))
        return self.clients[-1]

    @property
    def count(self) -> int:
        """Requests so far."""
        return sum(client.traffic.requests for client in self.clients)


@dataclass(frozen=True)
class Backfill:
    """The named assets, upstream first, and days of one pair."""

    settings: Settings
    wallets: Wallets
    assets: Sequence[str]
    days: Sequence[date]
    here: Here
    requests: Requests

    @classmethod
    @contextmanager
    def open(
        cls,
        settings: Settings,
        wallets: Wallets,
        names: Sequence[str],
        first: date | None,
        last: date | None,
        days: int | None,
    ) -> Iterator["Backfill"]:
        """Check the names and days, and open the instance. Raises `PolypipeError`."""
        requests = Requests()
        defs = build_defs(settings=settings, polymarket=Polymarket(Polymarket.of(settings).hosts, client=requests))
        check_names(defs, names)
        if others := [name for name in names if name not in STORED_DAYS]:
            raise PolypipeError(
                f"{', '.join(others)} has no past days; choose from {', '.join(STORED_DAYS)}",
                f"`polypipe refresh {' '.join(others)}` materializes it now",
            )
        named = named_days(settings.history_start, (utc_now() - DAY).date(), first, last, days)
        assets = [asset for asset in STORED_DAYS if not names or asset in names]
        with here(defs, settings) as this:
            yield cls(settings, wallets, assets, named, this, requests)

    @property
    def named(self) -> str:
        """The named days and assets, as the subject of a sentence with its verb."""
        days = Range(self.days[0], self.days[-1])
        of = "" if len(self.assets) == len(STORED_DAYS) else f" of {', '.join(self.assets)}"
        return f"{count(len(self.days), 'day')}{of} ({days}) {'is' if len(self.days) == 1 else 'are'}"

    def incomplete(self) -> dict[str, dict[date, str]]:
        """Asset -> days that are not complete, with the reason.

        A day is complete if Dagster has recorded it and the tables have everything of it for this pair.
        """
        found: dict[str, dict[date, str]] = {}
        with Warehouse(self.settings.home).read() as con:
            for asset in self.assets:
                stored = STORED_DAYS[asset](con, self.wallets, self.days[0], self.days[-1])
                recorded = self.here.instance.get_materialized_partitions(dg.AssetKey(asset))
                reasons = {}
                for day in self.days:
                    if day.isoformat() not in recorded:
                        reasons[day] = "not loaded"
                    elif day not in stored:
                        reasons[day] = "loaded, but the tables have no rows of these wallets"
                    elif why := stored[day]:
                        reasons[day] = why
                found[asset] = reasons
        return found

    def choose(self, again: bool) -> Days:
        """Asset -> the days to load."""
        return choose(self.days, self.incomplete(), {asset: self._parents(asset) for asset in self.assets}, again)

    def planned(self, todo: Days) -> list[str]:
        """One line a range."""
        return [f"{one}: {count(len(one.days), 'day')} of {', '.join(one.assets)}" for one in self._ranges(todo)]

    def run(self, todo: Days, say: Say) -> Reasons:
        """Load the days in this process, one line a range. Returns the failures.

        As in a backfill of Dagster, all days of an asset come before those of the assets computed from it, and a run has at
        most the days of the asset's policy. Each asset of a range is a run of its own, so what is done stays done if this
        process is killed.
        """
        failures: Reasons = {}
        with DayProgress(self._ranges(todo), self.requests) as progress:
            for step in self._steps(todo):
                for one in ranges_of(self._without_failures(step, todo, failures), step.days_a_run):
                    progress.say(self._run_range(one, failures, progress), say)
        return failures

    def _run_range(self, one: Range, failures: Reasons, progress: DayProgress) -> str:
        """Run each asset of the range; add to `failures`. Returns the line of the range."""
        began, before, rows = time.monotonic(), self.requests.count, 0
        failed: dict[str, str] = {}
        for asset in one.assets:
            if parent := next((parent for parent in self._parents(asset) if parent in failed), None):
                failed[asset] = f"not computed, because {parent} failed"
            else:
                progress.working_on(asset, one)
                outcome = self.here.run([asset], one, with_checks=False)[0][asset]
                rows += outcome.rows
                if outcome.error:
                    failed[asset] = outcome.error
                progress.done(one, outcome.rows)
            failures |= {(asset, day): failed[asset] for day in one.days if asset in failed}
        what = "; ".join(f"FAILED: {asset}: {why}" for asset, why in failed.items()) or ", ".join(one.assets)
        numbers = [
            count(len(one.days), "day"),
            count(self.requests.count - before, "request"),
            count(rows, "row"),
            f"{time.monotonic() - began:.1f} s",
        ]
        return f"{one}: {what}: {', '.join(numbers)}"

    def _without_failures(self, step: Step, todo: Days, failures: Reasons) -> Days:
        """The days of the step's assets without those whose parents failed, which are added to `failures`."""
        left: dict[str, list[date]] = {}
        for asset in step.assets:
            left[asset] = []
            for day in todo[asset]:
                if parent := next((parent for parent in self._parents(asset) if (parent, day) in failures), None):
                    failures[asset, day] = f"not computed, because {parent} failed"
                else:
                    left[asset].append(day)
        return left

    def _ranges(self, todo: Days) -> list[Range]:
        return [
            one
            for step in self._steps(todo)
            for one in ranges_of({asset: todo[asset] for asset in step.assets}, step.days_a_run)
        ]

    def _steps(self, todo: Days) -> list[Step]:
        """The assets in steps by their backfill policy, upstream first."""
        graph = self.here.defs.resolve_asset_graph()
        limits = {}
        for asset in todo:
            policy = graph.get(dg.AssetKey(asset)).backfill_policy
            limits[asset] = (policy and policy.max_partitions_per_run) or NO_LIMIT
        return steps(limits, {asset: self._parents(asset) for asset in todo})

    def _parents(self, asset: str) -> list[str]:
        graph = self.here.defs.resolve_asset_graph()
        return sorted(key.to_user_string() for key in graph.get(dg.AssetKey(asset)).parent_keys)

    def report(self, failures: Reasons, say: Say) -> int:
        """Print the days that are not complete, with the reasons. Returns the exit code."""
        lines = []
        for asset, reasons in self.incomplete().items():
            told = {day: failures.get((asset, day), why) for day, why in reasons.items()}
            lines += [f"{asset}, {span}: {why}" for span, why in by_reason(told)]
        if not lines:
            say(f"{self.named} complete")
            return 0
        say(f"{count(len(lines), 'range')} not complete:")
        for line in lines[:SHOWN_REASONS]:
            say(f"  {line}")
        if len(lines) > SHOWN_REASONS:
            say(f"  and {len(lines) - SHOWN_REASONS} more")
        return 1
