"""Starts that are refused: one line, and nothing is created or stopped."""

import errno
import re
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from polypipe.errors import PolypipeError
from polypipe.runtime import postgres, preconditions
from polypipe.runtime.demo import demo_settings
from polypipe.runtime.detach import detach
from polypipe.runtime.instance import dagster_home
from polypipe.runtime.ports import free_port
from polypipe.runtime.postgres import check_driver
from polypipe.runtime.preconditions import LEAST_OPEN_FILES, check_restart, ensure_open_files
from polypipe.runtime.running import Held, only_one
from polypipe.runtime.up import _prepare_storage, up
from polypipe.settings import Settings, load_settings, mark_simulated
from polypipe.warehouse import Warehouse
from polypipe.warehouse.current import read_current, write_current
from polypipe.warehouse.migrate import latest
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.warehouse.helpers import write

POSTGRES = "postgresql://me:s3cret@127.0.0.1:9/db"


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that another program listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield str(server.getsockname()[1])


def settings_of(**more: str) -> Settings:
    ports = {f"POLYPIPE_{name}_PORT": str(free_port()) for name in ("WEBSERVER", "DASHBOARD")}
    return settings_for(NOWHERE, **ports | more)


@pytest.fixture(params=["up", "detach"])
def start(request):
    return {"up": up, "detach": detach}[request.param]


def refusals(taken: str) -> dict[str, dict[str, str]]:
    return {
        f"port {taken} is in use": {"POLYPIPE_WEBSERVER_PORT": taken},
        "no token is set": {"POLYPIPE_DASHBOARD_HOST": "0.0.0.0"},
        "both 4001": {"POLYPIPE_WEBSERVER_PORT": "4001", "POLYPIPE_DASHBOARD_PORT": "4001"},
        "POLYPIPE_POSTGRES_URL is set, but psycopg2": {"POLYPIPE_POSTGRES_URL": POSTGRES},
    }


def test_refused_start_leaves_no_directories(start, taken, monkeypatch):
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    for line, more in refusals(taken).items():
        settings = settings_of(**more)
        with pytest.raises(PolypipeError, match=line) as refused:
            start(settings)
        assert "s3cret" not in str(refused.value)
        assert not settings.home.exists(), line


def test_missing_driver_of_postgres_names_the_lock_file_to_install(monkeypatch):
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    with pytest.raises(PolypipeError) as refused:
        check_driver()
    assert "psycopg2 and dagster_postgres cannot be imported" in refused.value.message
    assert "deploy/requirements-postgres.lock" in (refused.value.hint or "")
    assert (Path(__file__).parents[2] / postgres.LOCK_FILE).exists()


def test_home_that_is_up_is_refused_by_its_pid_and_not_by_its_ports(start, taken):
    settings = settings_of(POLYPIPE_WEBSERVER_PORT=taken)
    preconditions.make_directories(settings)
    with only_one(settings.home), pytest.raises((PolypipeError, Held), match="polypipe is already up on"):
        start(settings)


def test_home_of_a_newer_polypipe_is_refused_and_left_as_it_is(start):
    settings = settings_of()
    warehouse = Warehouse(settings.home)
    write(warehouse, "c1")
    warehouse.merge()
    current = read_current(warehouse.layout)
    assert current is not None
    assert current.schema == latest()
    current.schema += 1
    write_current(warehouse.layout, current)
    before = sorted(path for path in settings.home.rglob("*"))
    line = f"the home {settings.home} was written by a newer polypipe: it has schema {latest() + 1}, this version knows"
    with pytest.raises(PolypipeError, match=re.escape(line)):
        start(settings)
    assert sorted(path for path in settings.home.rglob("*")) == before


def test_too_few_open_files_are_refused_and_a_low_soft_limit_is_raised(start, monkeypatch):
    limit = [20, 20]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limit))
    monkeypatch.setattr(resource, "setrlimit", lambda _, to: limit.__setitem__(slice(None), to))
    settings = settings_of()
    with pytest.raises(PolypipeError, match=f"^the limit of open files is 20, and the servers need {LEAST_OPEN_FILES}"):
        start(settings)
    assert not settings.home.exists()
    with pytest.raises(PolypipeError, match="open files"):
        check_restart(settings)
    limit[:] = [20, 4096]
    ensure_open_files()
    assert limit == [LEAST_OPEN_FILES, 4096]


def test_directory_that_cannot_be_created_is_one_line(start, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    settings = settings_of()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PolypipeError, match="cannot be created: Read-only file system"):
        start(settings)


def test_demo_on_a_demos_home_is_that_home(tmp_path, monkeypatch):
    first, _ = demo_settings(load_settings())
    assert first.home == tmp_path / "home" / "demo"
    first.home.mkdir(parents=True)
    mark_simulated(first)
    monkeypatch.setenv("POLYPIPE_HOME", str(first.home))
    again, _ = demo_settings(load_settings())
    assert (again.home, again.bot_dir) == (first.home, first.home / "bot")
    assert again.simulated
    monkeypatch.setenv("POLYPIPE_HOME", str(first.home.parent))
    assert demo_settings(load_settings())[0].home == first.home


@pytest.mark.slow
def test_damaged_storage_of_dagster_refuses_the_start_in_one_line_with_what_to_do():
    settings = settings_of()
    preconditions.make_directories(settings)
    directory = dagster_home(settings.home)
    for file in ("history/runs.db", "schedules/schedules.db", "event_log.db"):
        (directory / file).parent.mkdir(exist_ok=True)
        (directory / file).write_bytes(b"garbage" * 1000)
    with pytest.raises(PolypipeError) as refused:
        _prepare_storage(settings, directory)
    line = str(refused.value)
    assert line.startswith(f"Dagster's storage in {directory} cannot be opened: ")
    assert "polypipe stop" in line
    assert "Background on this error" not in line
