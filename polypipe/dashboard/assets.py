"""The dashboard as an external asset: nothing to materialize, a link to the page."""

import dagster as dg

from polypipe.caches.registry import CACHES
from polypipe.orchestration.asset_defaults import EXPORT, OWNERS
from polypipe.orchestration.documented import source_metadata
from polypipe.runtime.ports import dashboard_url
from polypipe.settings import Settings

_SHOWN = (
    "divergence_snapshot", "positions", "wallet_pnl", "copy_quality_daily", "copy_fills", "copy_metrics_daily",
    "gap_attribution", "bot_trade_log",
)  # fmt: skip


def dashboard_spec(settings: Settings) -> dg.AssetSpec:
    """The page, downstream of every asset it shows."""
    url = dashboard_url(settings)
    return dg.AssetSpec(
        "dashboard",
        deps=[*_SHOWN, *(spec.asset for spec in CACHES)],
        group_name=EXPORT,
        kinds={"html"},
        owners=OWNERS,
        description=(
            f"The page at [{url}]({url}) for the trader who copies: the gap now and over time, efficiency, positions, the "
            "bot's files, copy quality and the attribution of the gap. It shows new data within a second of its "
            "publication and is never materialized. `polypipe up`, `demo` and `dashboard` serve it."
        ),
        metadata={"url": dg.MetadataValue.url(url), **source_metadata(dashboard_spec)},
    )
