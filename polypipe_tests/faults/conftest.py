"""`--chaos` runs the full fault tests instead of the short ones; `--figures DOCUMENT` writes their measurements."""

import os
import tempfile
from pathlib import Path

import pytest

from polypipe_tests.faults.figures import Figures, read, write_table

DIRECTORY = "POLYPIPE_FIGURES_DIRECTORY"  # passes the directory to the workers of xdist


@pytest.fixture(scope="session")
def figures() -> Figures:
    """Collects the measurements of a test."""
    directory = os.environ.get(DIRECTORY)
    return Figures(Path(directory) if directory else None)


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.getoption("figures") and not hasattr(session.config, "workerinput"):
        os.environ[DIRECTORY] = tempfile.mkdtemp(prefix="figures-")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    document = session.config.getoption("figures")
    if document and exitstatus == 0 and not hasattr(session.config, "workerinput"):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        skipped = {
            f"`{report.nodeid}`: {report.longrepr[2].removeprefix('Skipped: ')}"
            for report in reporter.stats.get("skipped", [])
        }
        write_table(Path(document), read(Path(os.environ[DIRECTORY])), sorted(skipped))
