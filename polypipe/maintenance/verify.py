"""Checks of an unpacked backup before it replaces anything."""

from pathlib import Path

import duckdb

from polypipe.errors import PolypipeError
from polypipe.maintenance.archive import Manifest
from polypipe.runtime.dagster_tables import damage
from polypipe.settings import Settings
from polypipe.warehouse.connection import quoted
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest


def refuse_mixture(settings: Settings, archive: Path, manifest: Manifest) -> None:
    """Raise `PolypipeError` if simulated data would get into a real home, or real data into the demo's."""
    if manifest.simulated and not settings.simulated:
        raise PolypipeError(f"{archive} is a backup of a demo: restore it to the home of a demo, after `polypipe demo`")
    if settings.simulated and not manifest.simulated:
        raise PolypipeError(f"{settings.home} is the home of the demo, and {archive} holds real data: choose another home")


def verify(archive: Path, unpacked: Path, manifest: Manifest) -> None:
    """Open the unpacked databases as their programs would, and count every table. Raises `PolypipeError`."""
    if manifest.schema > latest():
        raise PolypipeError(
            f"{archive} was written by a newer polypipe (schema {manifest.schema}, this version knows {latest()}): upgrade"
        )
    database = unpacked / Layout(unpacked).database.name
    if not database.exists() and manifest.tables:
        raise PolypipeError(f"{archive} is incomplete: the database is missing")
    if database.exists():
        try:
            with duckdb.connect(str(database), read_only=True) as con:
                for table, rows in manifest.tables.items():
                    found = con.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()[0][0]  # noqa: S608 -- quoted
                    if found != rows:
                        raise PolypipeError(f"{archive} is damaged: {table} has {found} rows instead of {rows}")
        except duckdb.Error as error:
            raise PolypipeError(f"{archive} is damaged: {' '.join(str(error).split())[:200]}") from None
    for path in sorted(unpacked.rglob("*.db")):
        if wrong := damage(path):
            raise PolypipeError(f"{archive} is damaged: {path.relative_to(unpacked)}: {wrong}")
