"""Preconditions of Dagster's storage in Postgres: the two packages, and a server that answers."""

from importlib.util import find_spec

from polypipe.errors import PolypipeError

PACKAGES = ("psycopg2", "dagster_postgres")
LOCK_FILE = "deploy/requirements-postgres.lock"


def check_driver() -> None:
    """Raise `PolypipeError` unless the packages for Postgres are installed. They are not among polypipe's own."""
    if missing := [package for package in PACKAGES if find_spec(package) is None]:
        raise PolypipeError(
            f"POLYPIPE_POSTGRES_URL is set, but {' and '.join(missing)} cannot be imported",
            f".venv/bin/python -m pip install --require-hashes --no-deps -r {LOCK_FILE}",
        )


def check_postgres(url: str) -> None:
    """Raise `PolypipeError` unless the server lets us in; waits for it for 2 s at most."""
    from polypipe.runtime.dagster_tables import connected

    check_driver()
    try:
        with connected(url):
            return
    except OSError as error:
        raise PolypipeError(str(error)) from None
