"""Requests generated from the OpenAPI document."""

from datetime import timedelta

import pytest
import schemathesis
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from polypipe.dashboard.app import build_app
from polypipe.dashboard.routes import describe
from polypipe.dashboard.store import Store
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.support import (
    COPIER,
    WHALE,
    all_files,
    now,
    outage,
    put_positions,
    put_publications,
    put_snapshots,
    wandering,
)
from polypipe_tests.divergence.support import position

# /healthz may be 503, so server errors are asserted by hand; no schema can say that `from` must be before `to`.
NOT_CHECKED = [not_a_server_error, positive_data_acceptance]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A client of a dashboard with some of everything, for the fuzzer."""
    settings = settings_for(
        NOWHERE,
        POLYPIPE_HOME=str(tmp_path_factory.mktemp("api")),
        POLYPIPE_COPIER_ADDRESS=COPIER,
        POLYPIPE_WHALE_ADDRESS=WHALE,
    )
    warehouse = Warehouse(settings.home)
    put_snapshots(warehouse, [*wandering(now(), 300), outage(now() - timedelta(hours=9))])
    put_publications(warehouse, all_files(now()))
    put_positions(warehouse, [position("1", 5.0)], [position("1", 400.0), position("2", 900.0)])
    with (
        Store(warehouse, settings, poll_seconds=3600) as store,
        TestClient(app := build_app(settings, store), base_url="http://127.0.0.1:8765") as client,
    ):
        app.state.listeners.stopping = True  # a stream of events ends at once
        yield client


@pytest.mark.slow
@schemathesis.openapi.from_dict(describe(build_app(settings_for(NOWHERE)))).parametrize()
@hypothesis_settings(max_examples=60)
def test_fuzzed_requests_get_described_answers_and_no_5xx(api, case):
    response = api.request(case.method, case.formatted_path, params=case.query, headers=case.headers)
    assert response.status_code < 500 or case.path == "/healthz"
    case.validate_response(Response.from_any(response), excluded_checks=NOT_CHECKED)
