"""Shared fixtures: a home, settings without real hosts, the simulated exchange."""

import gc
import shutil
import signal
import ssl
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketHttp
from polypipe.runtime import instance
from polypipe.settings import Settings, load_settings
from polypipe.variables import BOT_NAMES, NAMES
from polypipe.warehouse import Warehouse, live, migrate, rebuild
from polypipe.warehouse.connection import open_live
from polypipe_tests.sim.server import SimServer

if TYPE_CHECKING:
    import duckdb

hypothesis_settings.register_profile("polypipe", deadline=None)  # a slow machine is not a failed property
hypothesis_settings.register_profile("fast", deadline=None, max_examples=25)  # `make test-fast`: the other tests take 100
hypothesis_settings.load_profile("polypipe")

NOWHERE = "http://127.0.0.1:9"  # the discard port: a test without an exchange fails at once

SLOW_FIXTURES = {"demo", "look"}  # Dagster's servers, Chromium
BEGUN_FIRST = ("test_day.py", "test_backfill.py", "test_demo.py")


def pytest_addoption(parser: pytest.Parser) -> None:  # pytest reads options only from the topmost conftest
    parser.addoption("--chaos", action="store_true", help="fault tests and soaks in full: 40 minutes")
    parser.addoption("--figures", metavar="DOCUMENT", help="write the figures of the fault tests into this document")


def pytest_configure() -> None:
    """Restore the signals that `nohup` and `&` ignore, because processes started by tests must receive them.

    Collecting makes much and drops nothing: garbage collection waits until its end, below.
    """
    gc.disable()
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest tests first, which mostly wait; refuse tests of servers and browsers that are not marked `slow`."""
    items.sort(key=lambda item: item.path.name not in BEGUN_FIRST)
    for item in items:
        slow = SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if slow and item.get_closest_marker("slow") is None:
            raise pytest.UsageError(f"{item.nodeid} uses {', '.join(slow)}: mark it `slow`")


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of garbage collections, which would take 5 % of the time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def chaos(pytestconfig: pytest.Config) -> bool:
    """True for the full version (`make chaos`), False for the short one (`make test`)."""
    return bool(pytestconfig.getoption("chaos"))


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keeps tests from reading the developer's environment and `.env`, and from writing to data/."""
    for name in NAMES | BOT_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLYPIPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "none")  # `open_instance` sets it: deleted, it is restored after the test
    monkeypatch.delenv("DAGSTER_HOME")
    for name in ("GAMMA", "DATA", "PNL", "CLOB"):
        monkeypatch.setenv(f"POLYPIPE_{name}_URL", NOWHERE)


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    """Every `httpx.get` would read them again, which takes longer than most requests to the exchange."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


def small_exchange() -> SimServer:
    """A small exchange with a stopped clock; always the same."""
    return SimServer(events=120, seed=3)


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with small_exchange() as server:
        yield server


@pytest.fixture
def settings(sim: SimServer) -> Settings:
    """Settings for the test's exchange and its own home."""
    return settings_for(sim.url)


def settings_for(url: str, **more: str) -> Settings:
    """Settings with every host at `url`; `more` are variables by name."""
    hosts = {f"POLYPIPE_{name}_URL": url for name in ("GAMMA", "DATA", "PNL", "CLOB")}
    return load_settings(overrides=hosts | more)


@pytest.fixture(scope="session", autouse=True)
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database file with all tables, empty. In this process every new database begins as a copy of it.

    Migrating takes longer than most tests. Tests with other migrations, and other processes, migrate as ever.
    """
    empty = Warehouse(tmp_path_factory.mktemp("migrated"))
    empty.merge()
    ours = migrate.MIGRATIONS

    def opened(path: Path, deadline: float) -> "duckdb.DuckDBPyConnection":
        if ours == migrate.MIGRATIONS and not path.exists():
            shutil.copyfile(empty.layout.database, path)
        return open_live(path, deadline)

    with pytest.MonkeyPatch.context() as patch:
        for module in (live, rebuild):
            patch.setattr(module, "open_live", opened)
        yield empty.layout.database


@pytest.fixture(scope="session", autouse=True)
def _dagster_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """In this process every new SQLite storage of Dagster begins as a copy of an empty one.

    Creating its tables takes longer than most tests. Other processes create them as ever.
    """
    template = tmp_path_factory.mktemp("dagster")
    dagster_home = instance.dagster_home

    def copied(home: Path, postgres: bool = False) -> Path:
        if not postgres and home != template and not (home / "dagster" / "history").exists():
            if not (template / "dagster").exists():
                with instance.open_instance(template):
                    pass
            shutil.copytree(template / "dagster", home / "dagster", dirs_exist_ok=True)
        return dagster_home(home, postgres)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instance, "dagster_home", copied)
        yield


@pytest.fixture
def warehouse(settings: Settings, migrated_database: Path) -> Warehouse:
    """The warehouse of the test's home, with its tables."""
    warehouse = Warehouse(settings.home)
    warehouse.layout.database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated_database, warehouse.layout.database)
    return warehouse


@pytest.fixture
def con(tmp_path: Path, migrated_database: Path) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection to the empty tables."""
    path = tmp_path / "tables.duckdb"
    shutil.copyfile(migrated_database, path)
    with open_live(path, 0.0) as opened:
        yield opened


@pytest.fixture
def polymarket(settings: Settings) -> Polymarket:
    """The client, with retries that do not wait."""
    return impatient(settings)


def impatient(settings: Settings, attempts: int = 2) -> Polymarket:
    """A client that neither waits between retries nor limits its rate."""
    client: Callable[..., PolymarketHttp] = partial(PolymarketHttp, attempts=attempts, backoff=0.001, rate_share=10.0)
    return Polymarket(Polymarket.of(settings).hosts, client=client)
