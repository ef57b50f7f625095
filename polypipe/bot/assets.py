"""The Dagster asset of the bot's logs and its checks. The work is done in plain modules."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from polypipe.bot.ingest import IngestReport, ingest
from polypipe.bot.logs import LOGS, OWN_FILLS, TRADE_LOG, Log, is_empty
from polypipe.bot.misses import MissesSummary, misses_summary
from polypipe.bot.offsets import stored_positions, tail_of
from polypipe.bot.order_status import UNKNOWN
from polypipe.bot.rotated import unfinished
from polypipe.errors import PolypipeError
from polypipe.limits import LOG_CONFIRMED_AGE
from polypipe.orchestration.asset_defaults import BOT, OWNERS, PYTHON_TABLE, WRITER_POOL
from polypipe.orchestration.metadata import markdown, simulated
from polypipe.settings import Settings
from polypipe.text import count
from polypipe.warehouse import Warehouse

BOT_TRADE_LOG = dg.AssetKey("bot_trade_log")
DAY = timedelta(days=1)


@dg.asset(
    key=BOT_TRADE_LOG,
    group_name=BOT,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    pool=WRITER_POOL,
    description=(
        "The bot's log of the whale's fills (`matches_optimized.csv`): one row a line in the table trade_log, with the "
        "outcome of the order. Also the copier's fills (`my_fills.csv`, table own_fills), if the bot's trade monitor runs. "
        "Read by copy quality and `polypipe sql`. Materialized within a minute or two after a log grew, and every 6 hours "
        "while no log changes. Stale after 12 hours: nothing was read. Its data is as old as the whale's last fill."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=LOG_CONFIRMED_AGE),
)
def bot_trade_log(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Read the new lines of the logs that exist."""
    reports = []
    for log in LOGS:
        path = settings.bot_dir / log.file
        try:
            reports.append(ingest(warehouse, log, path))
        except FileNotFoundError as error:
            if path.exists():  # a rotated log was renamed or compressed just now
                raise dg.Failure(description=f"reading {path} stopped: {error}", allow_retries=False) from error
        except (PolypipeError, OSError) as error:
            raise dg.Failure(description=f"reading {path} stopped: {error}", allow_retries=False) from error
    if not reports:
        raise dg.Failure(description=absent(settings), allow_retries=False)
    now = datetime.now(UTC)
    with warehouse.read() as con:
        misses = misses_summary(con, now - DAY)
    for report in reports:
        context.log.info(
            f"{report.file}: {count(report.rows, 'new row')}, {count(report.held_back, 'byte')} without a newline yet"
        )
    return dg.MaterializeResult(metadata=report_metadata(reports, now, settings) | _missed(misses) | simulated(settings))


def has_log(settings: Settings) -> bool:
    """True if the bot or its trade monitor has written a log."""
    return any((settings.bot_dir / log.file).exists() for log in LOGS)


def absent(settings: Settings) -> str:
    """The message shown while both logs are missing."""
    return (
        f"{settings.bot_dir / TRADE_LOG.file} is missing: the bot creates it at the whale's first fill; if the bot runs "
        "elsewhere, set POLYPIPE_BOT_DIR to its directory"
    )


def report_metadata(reports: list[IngestReport], now: datetime, settings: Settings) -> dict[str, Any]:
    """Run metadata of the reports; the UI plots the numbers by name."""
    trade = next((report for report in reports if report.file == TRADE_LOG.file), IngestReport(TRADE_LOG.file))
    unknown = trade.outcomes[UNKNOWN]
    metadata: dict[str, Any] = {
        "dagster/uri": f"file://{settings.bot_dir / TRADE_LOG.file}",
        "dagster/table_name": "polypipe.trade_log",
        "rows_new": trade.rows,
        "bytes_new": trade.bytes,
        "bytes_held_back": trade.held_back,
        "outcomes": dg.MetadataValue.json(dict(sorted(trade.outcomes.items()))),
        "unknown": unknown,
        "rows_with_problems": trade.with_problems,
        "own_fills_new": sum(report.rows for report in reports if report.file == OWN_FILLS.file),
    }
    if trade.last_logged is not None:
        metadata["lag_seconds"] = round((now - trade.last_logged).total_seconds(), 1)
    if began := [f"{report.file}: {reason}" for report in reports for reason in report.began]:
        metadata["logs_begun"] = ", ".join(began)
    if examples := [example for report in reports for example in report.examples]:
        metadata["not_understood"] = dg.MetadataValue.md("\n".join(f"- {markdown(example)}" for example in examples))
    return metadata


def _missed(misses: MissesSummary) -> dict[str, Any]:
    return {f"cache_misses_24h_{name}": value for name, value in misses.items() if value is not None}


def unread(warehouse: Warehouse, settings: Settings, log: Log) -> str | None:
    """The state of the file (name, inode and size) if it changed since it was last read, else None.

    Also None if the file is missing, or has only the header and the log before it was read to its end.
    """
    path = settings.bot_dir / log.file
    known = stored_positions(warehouse, log.file)
    last = next(iter(known), None)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if last is not None and (last.inode, last.size) == (status.st_ino, status.st_size):
                if tail_of(file, last.byte_offset) == last.tail:
                    return None
            elif is_empty(log, status.st_size) and next(unfinished(warehouse, path, log, known), None) is None:
                return None
    except FileNotFoundError:
        return None
    except PermissionError:  # the requested run reports the error
        status = path.stat()
    return f"{log.file}:{status.st_ino}:{status.st_size}"


@dg.multi_asset_check(
    name="bot_trade_log_checks",
    specs=[
        dg.AssetCheckSpec("caught_up", asset=BOT_TRADE_LOG, description="Both logs are read to their last complete line."),
        dg.AssetCheckSpec("understood", asset=BOT_TRADE_LOG, description="No line of the last 24 hours is UNKNOWN."),
    ],
)
def trade_log_checks(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    yield from evaluate(settings, warehouse)


def evaluate(settings: Settings, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """Judge what is stored against the files as they are now."""
    behind = [state for log in LOGS if (state := unread(warehouse, settings, log)) is not None]
    exists = has_log(settings)
    yield dg.AssetCheckResult(
        check_name="caught_up",
        asset_key=BOT_TRADE_LOG,
        passed=exists and not behind,
        severity=dg.AssetCheckSeverity.WARN,  # it may have grown since this run read it
        description="; ".join(f"not read yet: {state}" for state in behind) or ("" if exists else absent(settings)),
    )
    with warehouse.read() as con:
        total, unknown = con.execute(
            "SELECT count(*), count(*) FILTER (WHERE outcome = 'UNKNOWN') FROM trade_log "
            "WHERE day >= now() - INTERVAL 48 HOUR "
            "AND coalesce(logged_at, day + INTERVAL 24 HOUR) >= now() - INTERVAL 24 HOUR"  # of a broken time the day counts
        ).fetchall()[0]
    yield dg.AssetCheckResult(
        check_name="understood",
        asset_key=BOT_TRADE_LOG,
        passed=unknown == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{unknown} of {total} lines are UNKNOWN",
        metadata={"unknown": unknown, "lines": total},
    )
