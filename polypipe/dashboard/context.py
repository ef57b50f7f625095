"""What every request is answered from: the settings and one version of the tables, and how fresh that is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request

from polypipe.dashboard.store import View
from polypipe.limits import limits
from polypipe.settings import Settings
from polypipe.warehouse.follow import FollowerStatus


@dataclass(frozen=True)
class Context:
    """Settings and tables, for one request."""

    settings: Settings
    view: View

    @property
    def stale_after(self) -> timedelta:
        """Age limit of the newest snapshot and of each source's last answer."""
        return limits(self.settings).snapshot

    def freshness(self) -> dict[str, Any]:
        """Which version is shown, when it was published, and why a newer one could not be loaded (null: none was)."""
        return freshness(self.view.status)

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


@contextmanager
def at_once(request: Request) -> Iterator[Context]:
    """What this request is answered from: all of it sees one version, whatever is loaded meanwhile."""
    state = request.app.state
    with state.store.at_once() as view:
        yield Context(state.settings, view)


def freshness(status: FollowerStatus) -> dict[str, Any]:
    """Which version is shown, when it was published, and why a newer one could not be loaded (null: none was)."""
    return {"version": status.version, "published_at": status.published_at, "reload_error": status.error}
