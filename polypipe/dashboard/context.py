"""What every request is answered from: the settings and the store, and how fresh the store's content is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from polypipe.dashboard.store import Store
from polypipe.settings import Settings

SILENT_AFTER = timedelta(minutes=10)
"""Something is written every two minutes; after this long without anything, the daemon does not tick."""


@dataclass(frozen=True)
class Context:
    """Settings and store, as `request.app.state.context`."""

    settings: Settings
    store: Store

    @property
    def stale_after(self) -> timedelta:
        """The age at which the newest snapshot, or a source's last answer, is stale: three snapshots are missing."""
        return timedelta(milliseconds=self.store.hole_ms)

    def freshness(self) -> dict[str, Any]:
        """Which version is shown, when it was published, and why a newer one could not be loaded (null: none was)."""
        status = self.store.status
        return {"version": status.version, "published_at": status.published_at, "reload_error": status.error}

    def labels(self) -> dict[str, Any]:
        """Who is compared, under the names of the old API."""
        settings = self.settings
        return {
            "user1_label": settings.copier_label,
            "user2_label": settings.whale_label,
            "user1_address": settings.copier_address,
            "user2_address": settings.whale_address,
            "simulated": settings.simulated,
        }


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)
