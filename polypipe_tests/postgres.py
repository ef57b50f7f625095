"""A real Postgres server for tests, on a Unix socket of its own, as deploy/compose.yaml sets it up."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nonexistent"))
SECRET = "s3cret-password"


@pytest.fixture
def postgres_url():
    """URL of the server; its password is `SECRET`. Skips the test where Postgres is not installed."""
    if importlib.util.find_spec("dagster_postgres") is None:
        pytest.skip("dagster-postgres is not installed (deploy/requirements-postgres.lock)")
    if not (BINARIES / "initdb").exists():
        pytest.skip("no Postgres server is installed (on Debian: apt-get install postgresql)")
    # Postgres refuses to run as root, and the path of a socket must be short.
    demoted = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg-") as directory:
        if demoted:
            shutil.chown(directory, "postgres", "postgres")
        data = f"{directory}/data"
        run: dict[str, Any] = {"check": True, "capture_output": True, "cwd": directory, **demoted}
        password = Path(directory) / "password"
        password.write_text(SECRET)
        password.chmod(0o644)
        initdb = ["-D", data, "-U", "polypipe", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
        subprocess.run([BINARIES / "initdb", *initdb], **run)
        options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
        control: list[Any] = [BINARIES / "pg_ctl", "-D", data, "-w"]
        subprocess.run([*control, "-l", f"{directory}/log", "-o", options, "start"], **run)
        try:
            yield f"postgresql+psycopg2://polypipe:{SECRET}@/postgres?host={directory}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)
