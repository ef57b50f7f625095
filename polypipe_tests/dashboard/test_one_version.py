"""Every answer shows one version, even if another one is loaded between its queries."""

import shutil
from datetime import timedelta

import pytest

from polypipe.dashboard.store import View
from polypipe.warehouse import Warehouse
from polypipe_tests.dashboard.copying_rows import DAY, class_row, put_copying, quality_row, replace_tables
from polypipe_tests.dashboard.support import all_files, now, put_positions, put_publications, put_snapshots, wandering
from polypipe_tests.divergence.support import position

PATHS = (
    "/api/latest",
    "/api/history?hours=all&to={to}",
    "/api/history?hours=all&to={to}&points=40",
    "/api/positions",
    "/api/positions/rows",
    "/api/caches",
    "/api/quality",
    "/api/quality/copying",
    "/api/quality/breakdowns?dimension=price",
    "/api/quality/log",
    "/api/export.csv?what=positions",
    "/api/export.csv?what=caches",
    "/api/export.csv?what=exits",
    "/api/export.csv?what=funnel",
    "/api/export.csv?what=history&hours=all&to={to}",
)


def put_everything(warehouse, count):
    """Store rows in every table of the page. Every answer depends on `count`."""
    put_snapshots(warehouse, wandering(now() - timedelta(minutes=count), 100 * count, seed=count))
    put_publications(warehouse, all_files(now() - timedelta(minutes=5 - count), entries=5000 + count))
    put_positions(warehouse, [position("1", 5.0)], [position(str(n), 400.0) for n in range(count)])
    today = now().replace(hour=0, minute=0, second=0)
    days = [today - n * DAY for n in range(1, 3 + 2 * count)]
    replace_tables(warehouse, copy_quality_daily=[quality_row(day, copier_pnl=float(count)) for day in days])
    put_copying(warehouse, days[count - 1 :], title=f"{count}", raw=f"{count}")
    classes = [class_row(day, "price", "0.05-0.20", 7, eligible_fills=count) for day in days[count - 1 :]]
    replace_tables(warehouse, copy_breakdowns=classes)


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Two homes: the second has what the first has, and a newer version of every table."""
    older, newer = tmp_path_factory.mktemp("older"), tmp_path_factory.mktemp("newer")
    put_everything(Warehouse(older), 1)
    shutil.copytree(older, newer, dirs_exist_ok=True)
    put_everything(Warehouse(newer), 2)
    return older, newer


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_answer_ignores_a_version_loaded_between_its_queries(open_dashboard, versions, settings, monkeypatch, path):
    path = path.format(to=(now() + timedelta(minutes=1)).isoformat().replace("+00:00", "Z"))
    older, newer = versions
    shutil.copytree(older, settings.home, dirs_exist_ok=True)
    expected = open_dashboard(settings).client.get(path).text
    dashboard = open_dashboard(settings)
    queries = []

    def with_news(method):
        def query(view, *arguments):
            found = method(view, *arguments)
            queries.append(arguments)
            if len(queries) == 1:
                shutil.copytree(newer, settings.home, dirs_exist_ok=True)
                dashboard.store.refresh()
            return found

        return query

    with monkeypatch.context() as patched:
        patched.setattr(View, "values", with_news(View.values))
        patched.setattr(View, "rows_of", with_news(View.rows_of))
        disturbed = dashboard.client.get(path)
    assert queries
    assert dashboard.store.status.error is None
    assert disturbed.text == expected
    assert dashboard.client.get(path).text != expected
