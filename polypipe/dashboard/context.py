"""What a request is answered from: the settings and one version of the tables."""

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
    """Settings and tables for one request."""

    settings: Settings
    view: View

    @property
    def stale_after(self) -> timedelta:
        """Age limit of the newest snapshot and of each source's last answer."""
        return limits(self.settings).snapshot

    def freshness(self) -> dict[str, Any]:
        """The version, when it was published, and the error that keeps a newer one from loading, or null."""
        return freshness(self.view.status)


@contextmanager
def at_once(request: Request) -> Iterator[Context]:
    """Yields the context of a request. All its queries see one version, whatever is loaded meanwhile."""
    state = request.app.state
    with state.store.at_once() as view:
        yield Context(state.settings, view)


def freshness(status: FollowerStatus) -> dict[str, Any]:
    """The version, when it was published, and the error that keeps a newer one from loading, or null."""
    return {"version": status.version, "published_at": status.published_at, "reload_error": status.error}
