"""`python -m polypipe.runtime.webserver`: Dagster's webserver behind `SiteGuard`.

The same as `dagster-webserver`, which takes no middleware.
"""

import click
import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.cli import DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_MAX_OVERFLOW, DEFAULT_POOL_RECYCLE
from dagster_webserver.version import __version__

from polypipe.runtime.site_guard import LOOPBACK_NAMES, SiteGuard

POLL_MILLISECONDS = 2000  # how often an open page polls; the webserver's own default


@click.command()
@click.option("--host", "-h", default="127.0.0.1")
@click.option("--port", "-p", type=int, required=True)
@click.option("--workspace", "-w", required=True)
@click.option("--read-only", is_flag=True)
@click.option("--name", "names", multiple=True, help="Another host name, under which a proxy forwards requests.")
def main(host: str, port: int, workspace: str, read_only: bool, names: tuple[str, ...]) -> None:
    """Serve the instance of DAGSTER_HOME until SIGTERM or SIGINT."""
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        with WorkspaceProcessContext(
            instance, WorkspaceFileTarget([workspace]), version=__version__, read_only=read_only
        ) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=POLL_MILLISECONDS)
            uvicorn.run(
                SiteGuard(app, [*LOOPBACK_NAMES, *names]), host=host, port=port, log_level="warning", server_header=False
            )


if __name__ == "__main__":
    main()
