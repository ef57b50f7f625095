"""Asset checks of the files: what is on disk now, read as the bot would. They only report; the checks that can stop a
publication run before the file is replaced (`publish.py`)."""

# ruff: noqa: S608 -- values go into SQL as literals, which spares the import of pandas

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from polypipe.caches.formats import FormatError
from polypipe.caches.publish import FIRST
from polypipe.caches.registry import CACHES
from polypipe.caches.spec import CacheSpec
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

MIN_COVERAGE = 0.99
MAX_CHANGED_SHARE = 0.5
MAX_LIVE_SHARE = 0.5

_DESCRIPTIONS = {
    "entries": "The file parses as strictly as the bot would and has entries.",
    "coverage": f"At least {MIN_COVERAGE:.0%} of the stored universe's tokens that belong in the file are in it.",
    "changes": f"The last publication changed less than {MAX_CHANGED_SHARE:.0%} of the entries.",
    "age": "The data in the file was read from Polymarket within the file's limit.",
    "live_count": f"Some tokens are in play, and not more than {MAX_LIVE_SHARE:.0%} of them.",
}


def file_checks(spec: CacheSpec) -> dg.AssetChecksDefinition:
    """The checks of one file as one step: they share one reading of the file."""
    names = ["entries", "coverage", "changes", "age"] + (["live_count"] if spec.asset == "live_cache" else [])

    @dg.multi_asset_check(
        name=f"{spec.asset}_checks",
        specs=[dg.AssetCheckSpec(name, asset=spec.asset, description=_DESCRIPTIONS[name]) for name in names],
    )
    def checks(
        settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from evaluate(spec, settings, warehouse)

    return checks


def evaluate(spec: CacheSpec, settings: Settings, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """Check the file as it is now. Every check yields a result, also when the file or the tables are missing."""

    def result(name: str, passed: bool, text: str, error: bool = False, **metadata: Any) -> dg.AssetCheckResult:
        severity = dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            check_name=name, asset_key=spec.asset, passed=passed, severity=severity, description=text, metadata=metadata
        )

    with warehouse.read() as con:
        expected = {token_id for (token_id,) in con.execute(spec.expected(settings)).fetchall()}
        last = con.execute(
            "SELECT observed_at, entries, reason, added, removed, changed FROM publications "
            f"WHERE file = {literal(spec.file)} AND accepted ORDER BY time DESC LIMIT 1"
        ).fetchone()
    entries, fault = _read(spec, settings.bot_dir / spec.file)
    believed_empty = last is not None and last[1] == 0  # an off-season that the guard has accepted
    if not entries and not fault and not believed_empty:
        fault = "the file is empty: it wipes the bot's map"
    yield result("entries", not fault, fault or f"{len(entries)} entries", error=True, entries=len(entries))

    share = len(expected & entries.keys()) / len(expected) if expected else None
    covered = "no such token in the stored universe" if share is None else f"{share:.2%} of {len(expected)} tokens"
    yield result("coverage", believed_empty if share is None else share >= MIN_COVERAGE, covered, expected=len(expected))

    if last is None:
        yield result("changes", False, "never published")
        yield result("age", False, "never published", error=True)
    else:
        observed_at, count, reason, *difference = last
        touched = sum(difference)
        few = reason == FIRST or touched < MAX_CHANGED_SHARE * max(count, 1)
        words = "{} added, {} removed, {} changed".format(*difference)
        yield result("changes", few, f"{reason}: {words}" if reason else words, touched=touched)
        age = datetime.now(UTC) - observed_at
        text = f"{age.total_seconds():.0f} s old, limit {spec.fresh_within.total_seconds():.0f} s"
        yield result("age", age <= spec.fresh_within, text, error=True, seconds=age.total_seconds())

    if spec.asset == "live_cache":
        live = sum(value is True for value in entries.values())
        plausible = 0 < live <= MAX_LIVE_SHARE * len(entries)
        yield result("live_count", plausible, f"{live} of {len(entries)} tokens are in play", live=live)


def _read(spec: CacheSpec, path: Path) -> tuple[dict[str, Any], str]:
    """The file's entries, and what is wrong with it in words ("" when nothing)."""
    try:
        entries = spec.format.flatten(spec.format.decode(path.read_bytes()))
    except FileNotFoundError:
        return {}, f"{path} does not exist"
    except (OSError, FormatError) as error:
        return {}, f"the bot would ignore {path}: {error}"
    return entries, ""


cache_checks = [file_checks(spec) for spec in CACHES]
