"""The programs that `polypipe up` runs: Dagster's code server, daemon and webserver, and the dashboard."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polypipe.runtime.ports import free_port
from polypipe.settings import Settings

WORKSPACE_YAML = """\
# Written by polypipe at every start: the address of the code server, for the webserver and the daemon.
load_from:
  - grpc_server: {{host: 127.0.0.1, port: {port}, location_name: polypipe}}
"""


@dataclass(frozen=True)
class Program:
    """One supervised program: its name, which is also its log's, its command, and the loopback port it waits for."""

    name: str
    command: Sequence[str]
    wait_port: int | None = None


def dagster_programs(settings: Settings, dagster_home: Path) -> list[Program]:
    """Code server, daemon and webserver. Not `dagster dev`: it needs 170 MB more, and one crash stops all three."""
    bin_dir = Path(sys.executable).parent
    port = free_port()
    workspace = dagster_home / "workspace.yaml"
    workspace.write_text(WORKSPACE_YAML.format(port=port), encoding="utf-8")
    code_server = ["api", "grpc", "-m", "polypipe.definitions", "--host", "127.0.0.1", "--port", str(port)]
    webserver = ["-h", "127.0.0.1", "-p", str(settings.webserver_port), "-w", str(workspace)]
    webserver += ["--name", settings.webserver_name] if settings.webserver_name else []
    webserver += ["--read-only"] if settings.webserver_read_only else []
    return [
        Program("code-server", [str(bin_dir / "dagster"), *code_server, "--location-name", "polypipe"]),
        Program("daemon", [str(bin_dir / "dagster-daemon"), "run", "-w", str(workspace)], wait_port=port),
        Program("webserver", [sys.executable, "-m", "polypipe.runtime.webserver", *webserver], wait_port=port),
    ]


def dashboard_program() -> Program:
    """The dashboard. It waits for no other program and shows the published tables at once."""
    return Program("dashboard", [sys.executable, "-m", "polypipe.cli", "dashboard"])
