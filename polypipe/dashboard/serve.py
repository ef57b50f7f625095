"""`polypipe dashboard`: serves the page in this process."""

import contextlib
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from polypipe.dashboard.app import build_app
from polypipe.runtime.ports import check_binding
from polypipe.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises `Refused` where that would not be safe, before anything listens."""
    check_binding(settings)
    app = build_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.dashboard_host,
        port=settings.dashboard_port,
        log_level="warning",
        access_log=False,  # addresses may contain the token
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn re-raises Ctrl-C after it has stopped
        _Server(config).run()


class _Server(uvicorn.Server):
    """Ends the event streams at once on a signal: an open page must not delay the stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        assert isinstance(self.config.app, Starlette)
        self.config.app.state.listeners.stopping = True
        super().handle_exit(sig, frame)
