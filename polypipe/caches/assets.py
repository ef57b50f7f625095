"""The Dagster assets of the market side: `sports_events`, and one asset for each file of the registry.

The work is done in plain modules; this one adds descriptions, metadata and failures.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from polypipe.caches.live_cache import LiveLine
from polypipe.caches.publish import Publication, publish_cache
from polypipe.caches.registry import CACHES
from polypipe.caches.spec import Built, CacheSpec, Sources
from polypipe.caches.universe import StoredCrawl, crawl_and_store
from polypipe.errors import PolypipeError
from polypipe.limits import UNIVERSE_AGE
from polypipe.orchestration.asset_defaults import MARKETS, OWNERS, PYTHON_TABLE, WRITER_POOL
from polypipe.orchestration.documented import source_metadata
from polypipe.orchestration.metadata import markdown, simulated
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError, RowProblem
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

SPORTS_EVENTS = dg.AssetKey("sports_events")
SHOWN_PROBLEMS = 50


class RefreshConfig(dg.Config):
    """Set `allow_shrink` in the launchpad to publish a file in this run even if it lost more than half of its entries."""

    allow_shrink: bool = False


@dg.asset(
    key=SPORTS_EVENTS,
    group_name=MARKETS,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    pool=WRITER_POOL,
    description=(
        "The universe: every open sports event of Polymarket with its tradable markets and token ids, in the tables "
        "events, markets and tokens. Only a complete crawl replaces it. All cache files of this group are built from it. "
        "Refreshed every 10 minutes; stale after 45 minutes."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=UNIVERSE_AGE),
    check_specs=[
        dg.AssetCheckSpec(
            "stored_in_warehouse",
            asset=SPORTS_EVENTS,
            description="The crawl's rows are in DuckDB and not waiting in the spool for another process to release it.",
        )
    ],
)
def sports_events(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    polymarket: dg.ResourceParam[Polymarket],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Crawl the universe, prove it complete and store it in one transaction."""
    try:
        stored = crawl_and_store(polymarket, warehouse)
    except PolymarketError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    if stored.waiting:
        context.log.error(stored.waiting)
    return dg.MaterializeResult(
        metadata=_crawl_metadata(stored, warehouse) | simulated(settings),
        check_results=[
            dg.AssetCheckResult(
                check_name="stored_in_warehouse",
                passed=stored.waiting is None,
                description=stored.waiting or "committed",
            )
        ],
    )


def cache_asset(spec: CacheSpec) -> dg.AssetsDefinition:
    """The asset that builds and publishes one file."""

    @dg.asset(
        name=spec.asset,
        deps=[SPORTS_EVENTS],
        group_name=MARKETS,
        kinds={"python", "json"},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=f"`{spec.file}`: {spec.description}",
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=spec.fresh_within),
        metadata={"dagster/column_schema": _column_schema(spec), **source_metadata(spec.build)},
    )
    def cache(
        context: dg.AssetExecutionContext,
        config: RefreshConfig,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        polymarket: dg.ResourceParam[Polymarket],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        try:
            built, publication = publish_cache(spec, Sources(settings, warehouse, polymarket), config.allow_shrink)
        except PolypipeError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        context.log.info(f"{publication.file}: {publication.entries} entries, {publication.reason or 'replaced'}")
        return dg.MaterializeResult(metadata=_file_metadata(spec, built, publication, settings) | simulated(settings))

    return cache


def _column_schema(spec: CacheSpec) -> dg.TableSchema:
    name, column_type = spec.value_column
    return dg.TableSchema(
        [
            dg.TableColumn("token_id", "string", description="Decimal digits, up to 78."),
            dg.TableColumn(name, column_type),
        ]
    )


def _crawl_metadata(stored: StoredCrawl, warehouse: Warehouse) -> dict[str, Any]:
    report = stored.report
    return {
        "dagster/row_count": report.tokens,
        "dagster/table_name": "polypipe.tokens",
        "dagster/uri": f"file://{warehouse.layout.database}",
        "events": report.events,
        "markets": report.markets,
        "pages": report.pages,
        "requests": report.requests,
        "megabytes": round(report.bytes / 1e6, 2),
        "seconds": round(report.seconds, 2),
        "duplicate_events": report.duplicates,
        "markets_skipped": len(report.skipped),
        "rows_dropped": len(report.dropped),
        "readings": report.readings,
        "events_not_listed": report.unlisted,
        "announced": "\n".join(report.announcements) or "nothing",
        "skipped": dg.MetadataValue.md(_problem_table(report.skipped)),
        "dropped": dg.MetadataValue.md(_problem_table(report.dropped)),
        "unknown_tennis_types": dg.MetadataValue.json(dict(stored.unknown_types)),
        "crawl_id": stored.crawl_id,
    }


def _file_metadata(spec: CacheSpec, built: Built, publication: Publication, settings: Settings) -> dict[str, Any]:
    path = settings.bot_dir / spec.file
    notes = dict(built.notes)
    metadata: dict[str, Any] = {
        "dagster/row_count": publication.entries,
        "dagster/uri": f"file://{path}",
        "path": dg.MetadataValue.path(str(path)),
        "added": publication.added,
        "removed": publication.removed,
        "changed": publication.changed,
        "outcome": publication.reason or "replaced",
        "bytes": publication.bytes,
        "sha256": publication.sha256,
        "observed_at": dg.MetadataValue.timestamp(publication.observed_at),
        "crawl_id": publication.crawl_id,
    }
    if newest := notes.pop("newest_live_events", None):
        metadata["newest_live_events"] = dg.MetadataValue.md(_live_table(newest, settings.simulated))
    return metadata | {
        name: dg.MetadataValue.json(value) if isinstance(value, dict) else value for name, value in notes.items()
    }


def _problem_table(problems: Sequence[RowProblem]) -> str:
    if not problems:
        return "none"
    lines = ["| row | id | reason |", "|---|---|---|"]
    lines += [f"| {p.kind} | {markdown(p.id)} | {markdown(p.reason)} |" for p in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"| … | {len(problems) - SHOWN_PROBLEMS} more | |")
    return "\n".join(lines)


def _live_table(events: Sequence[LiveLine], is_simulated: bool) -> str:
    lines = ["**SIMULATED DATA**", ""] if is_simulated else []
    lines += ["| started (UTC) | event | slug |", "|---|---|---|"]
    for start, title, slug in events:
        started = f"{start:%Y-%m-%d %H:%M}" if start is not None else "unknown"
        lines.append(f"| {started} | {markdown(title)} | {markdown(slug)} |")
    return "\n".join(lines)


cache_assets = [cache_asset(spec) for spec in CACHES]
