"""Check of Dagster's storage: its SQLite files, or Postgres."""

from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, unknown
from polypipe.runtime.dagster_tables import MOVE_AWAY, damage, tables
from polypipe.text import count, size


def check_storage(inputs: Inputs) -> Result:
    """Dagster's runs, events and ticks, without which nothing starts."""
    settings, name = inputs.settings, "Dagster's storage"
    if settings.postgres_url is not None:
        try:
            with tables(settings.home, settings.postgres_url) as (query, _):
                query("SELECT 1")
        except OSError as failure:
            return error(name, str(failure), "correct POLYPIPE_POSTGRES_URL, or start the server: polypipe up needs it")
        return ok(name, "Postgres answers")
    files = sorted((settings.home / "dagster").rglob("*.db"))
    if not files:
        return skipped(name, "does not exist yet; the first start creates it")
    for path in files:
        try:
            wrong = damage(path)
        except OSError as failure:
            return unknown(name, str(failure))
        if wrong:
            return error(name, f"{path} is damaged: {wrong}", f"restore a backup; or {MOVE_AWAY}")
    return ok(name, f"{size(sum(path.stat().st_size for path in files))} in {count(len(files), 'file')}, none damaged")
