"""The table of contents: every asset, check, job, schedule and sensor of polypipe, listed by name.

`defs` is what Dagster loads. Nothing is defined here.
"""

from typing import Any

import dagster as dg

from polypipe import settings as settings_module
from polypipe.caches.assets import cache_assets, sports_events
from polypipe.caches.automation import jobs, schedules, sensors
from polypipe.caches.checks import cache_checks
from polypipe.resources import Polymarket
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse


def build_defs(**resource_overrides: Any) -> dg.Definitions:
    """All definitions, with resources made from the settings unless given: `settings`, `warehouse`, `polymarket`.

    Raises `SettingError`, one line, when a setting is not allowed.
    """
    settings: Settings = resource_overrides.get("settings") or settings_module.load()
    resources: dict[str, Any] = {
        "settings": settings,
        "warehouse": Warehouse(settings.home),
        "polymarket": Polymarket.of(settings),
    }
    unknown = set(resource_overrides) - set(resources)
    if unknown:
        raise ValueError(f"unknown resources {sorted(unknown)}; allowed are {sorted(resources)}")
    return dg.Definitions(
        assets=[sports_events, *cache_assets],
        asset_checks=cache_checks,
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        resources=resources | resource_overrides,
        executor=dg.in_process_executor,
    )


defs = build_defs()
