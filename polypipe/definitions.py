"""Table of contents: every asset, check, job, schedule and sensor, listed by name. Dagster loads `defs`."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from polypipe.alerts import automation as alerts_automation
from polypipe.attribution import assets as attribution_assets
from polypipe.attribution import automation as attribution_automation
from polypipe.bot import assets as bot_assets
from polypipe.bot import automation as bot_automation
from polypipe.caches import assets as cache_assets
from polypipe.caches import automation as cache_automation
from polypipe.caches.registry import CACHES
from polypipe.dashboard.assets import dashboard_spec
from polypipe.divergence import assets as divergence_assets
from polypipe.divergence import automation as divergence_automation
from polypipe.health import dagster_adapter as health
from polypipe.history import assets as history_assets
from polypipe.history import automation as history_automation
from polypipe.legacy import assets as legacy_assets
from polypipe.maintenance import assets as upkeep
from polypipe.orchestration.daily import daily_partitions
from polypipe.orchestration.documented import with_columns
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings, load_settings
from polypipe.warehouse import Warehouse

# Tables by asset; the first is the column schema on the asset's page. Every table must be listed.
TABLES: Mapping[str, Sequence[str]] = {
    "sports_events": ("tokens", "markets", "events", "crawls", "token_first_seen", "fee_schedules"),
    **{cache.asset: ("publications",) for cache in CACHES},
    "divergence_snapshot": ("snapshots",),
    "positions": ("positions", "position_summaries"),
    "wallet_pnl": ("wallet_pnl",),
    "wallet_activity": ("wallet_activity", "activity_days", "activity_unknown_days", "wallet_combos", "event_sizes"),
    "copy_quality_daily": ("copy_quality_daily",),
    "copy_fills": ("copy_fills", "wallet_fees_daily", "ratio_changes", "price_history"),
    "copy_metrics_daily": ("copy_metrics_daily", "copy_breakdowns"),
    "gap_attribution": ("gap_attribution", "uncopied_exits", "position_prices"),
    "bot_trade_log": ("trade_log", "own_fills", "log_positions"),
}


def build_defs(**resource_overrides: Any) -> dg.Definitions:
    """All definitions. The resources `settings`, `warehouse` and `polymarket` come from the settings unless given.

    Raises `SettingError` for a bad setting.
    """
    settings: Settings = resource_overrides.get("settings") or load_settings()
    resources: dict[str, Any] = {
        "settings": settings,
        "warehouse": Warehouse(settings.home),
        "polymarket": Polymarket.of(settings),
    }
    unknown = set(resource_overrides) - set(resources)
    if unknown:
        raise ValueError(f"unknown resources {sorted(unknown)}; allowed are {sorted(resources)}")
    days = daily_partitions(settings)
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec] = [
        cache_assets.sports_events,
        *cache_assets.cache_assets,
        *divergence_assets.with_freshness(settings),
        *legacy_assets.assets,
        *history_assets.history_assets(days),
        *attribution_assets.attribution_assets(days),
        bot_assets.bot_trade_log,
        upkeep.upkeep,
        dashboard_spec(settings),
    ]
    assets = dg.map_asset_specs(_with_columns, assets)
    if settings.simulated:
        assets = dg.map_asset_specs(_mark_as_simulated, assets)
    return dg.Definitions(
        assets=dg.with_source_code_references(assets),
        asset_checks=[
            *health.asset_checks,
            bot_assets.trade_log_checks,
        ],
        jobs=[
            *cache_automation.jobs,
            *divergence_automation.jobs,
            *legacy_assets.jobs,
            *history_automation.jobs,
            *attribution_automation.jobs,
            *bot_automation.jobs,
            upkeep.upkeep_job,
        ],
        schedules=[
            *cache_automation.schedules,
            *divergence_automation.schedules,
            *legacy_assets.schedules,
            history_automation.history_schedule(days),
            *attribution_automation.schedules,
            upkeep.upkeep_schedule,
        ],
        sensors=[
            *cache_automation.sensors,
            divergence_automation.snapshot_sensor(settings, health.snapshot_check_results),
            divergence_automation.first_positions,
            history_automation.first_history(days),
            *attribution_automation.sensors,
            *bot_automation.sensors,
            *alerts_automation.sensors,
        ],
        resources=resources | resource_overrides,
        executor=dg.in_process_executor,
    )


def _with_columns(spec: dg.AssetSpec) -> dg.AssetSpec:
    tables = TABLES.get(spec.key.to_user_string())
    return with_columns(spec, tables) if tables else spec


def _mark_as_simulated(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Mark an asset of the demo wherever the UI shows it."""
    return spec.replace_attributes(
        description=f"**SIMULATED DATA** (`polypipe demo`). {spec.description}", kinds={*spec.kinds, "simulated"}
    )


defs = build_defs()
