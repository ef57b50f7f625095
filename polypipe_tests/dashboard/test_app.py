"""The application: what it loads, how it refuses requests, and what its OpenAPI document promises."""

import subprocess
import sys

import pytest
from fastapi.routing import APIRoute

from polypipe.dashboard.api.export import TABLES
from polypipe.dashboard.app import build_app
from polypipe.dashboard.routes import describe
from polypipe_tests.conftest import NOWHERE, settings_for


def test_dashboard_starts_without_heavy_modules():
    heavy = ("dagster", "httpx", "pandas", "plotly", "polypipe.attribution.whatif", "psutil")
    code = f"import sys, polypipe.dashboard.serve; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ["/", "/api/latest", "/api/history", "/metrics", "/openapi.json"])
def test_head_is_answered_as_get(dashboard, path):
    found, expected = dashboard.client.head(path), dashboard.client.get(path)
    assert (found.status_code, found.headers["content-type"]) == (200, expected.headers["content-type"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/latest?x=1", "'x' is not a parameter; none are allowed here"),
        ("/healthz?x=1", "'x' is not a parameter; none are allowed here"),
        ("/api/quality?day=3", "'day' is not a parameter; choose from window, days"),
        ("/api/quality?days=3&days=4", "'days' is given twice"),
        ("/api/quality?days=0", "days='0': must be a whole number from 1 to 3660"),
        ("/api/quality?window=2", "window='2': must be one of 1, 7, 30"),
        ("/api/history?hours=0", "hours='0': must be a number above 0, at most 87840, or all"),
        ("/api/history?from=noon", "from='noon': must be ISO-8601, such as 2026-11-23T10:00Z, or seconds since 1970"),
        ("/api/history?to=1e9&from=1990-01-01", "from='1990-01-01': must be in the years 2000 to 2200"),
        ("/api/history?hours=3&from=2026-11-23", "hours and from exclude each other"),
        ("/api/quality/whatif?ratio=0", "ratio='0': must be a number from 1e-06 to 100"),
        (
            "/api/quality/whatif?tiers=5:1,5:2",
            "tiers='5:1,5:2': must have each number of shares once",
        ),
        ("/api/export.csv?what=caches&q=x", "'q' is not a parameter; none are allowed here"),
        ("/api/positions/rows?q=" + "x" * 101, f"q='{'x' * 40}…': must be at most 100 characters"),
    ],
)
def test_wrong_parameter_is_one_line_with_name_value_and_what_is_allowed(dashboard, path, message):
    response = dashboard.client.get(path)
    assert (response.status_code, response.json()) == (400, {"error": message})


def test_openapi_document_describes_errors_as_they_are_answered(dashboard):
    document = dashboard.json("/openapi.json")
    assert document == describe(build_app(settings_for(NOWHERE)))
    assert "/api/export.csv" in document["paths"]
    for path, operations in document["paths"].items():
        answers = operations["get"]["responses"]
        assert "422" not in answers, path
        assert answers["400"]["content"]["application/json"]["schema"]["required"] == ["error"], path
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_openapi_document_has_every_path_and_every_parameter():
    app = build_app(settings_for(NOWHERE))
    document = describe(app)
    served = {route.path for route in app.routes if isinstance(route, APIRoute)}
    assert set(document["paths"]) == served
    assert {"/api/events", "/api/export.csv", "/healthz", "/metrics"} <= served
    parameters = {one["name"]: one for one in document["paths"]["/api/export.csv"]["get"]["parameters"]}
    expected = {field.alias or name for model, _ in TABLES.values() for name, field in model.model_fields.items()}
    assert set(parameters) == expected | {"what"}
    assert parameters["what"]["schema"]["enum"] == list(TABLES)
    assert parameters["points"]["description"] == "Of what=history."
    assert len(parameters["days"]["schema"]["anyOf"]) > 1  # 1, 7 or 30; or any number
    (stream,) = document["paths"]["/api/events"]["get"]["responses"]["200"]["content"]
    assert stream == "text/event-stream"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_with_foreign_scripts_is_served(dashboard, path):
    assert dashboard.client.get(path).status_code == 404
