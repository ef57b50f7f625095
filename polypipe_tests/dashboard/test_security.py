"""Access control, security headers, and hostile texts."""

import re

import pytest

from polypipe.errors import PolypipeError
from polypipe.runtime.ports import check_binding, dashboard_url
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.hostile import HOSTILE
from polypipe_tests.dashboard.support import put_positions
from polypipe_tests.divergence.support import position

TOKEN = "a-long-and-secret-token"
ADDRESSES = (
    "/", "/api/latest", "/api/history", "/api/events", "/api/quality/copying", "/api/quality/log", "/api/quality/whatif",
    "/api/export.csv", "/healthz", "/metrics", "/openapi.json",
)  # fmt: skip


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[", "localhost@evil.example", "0.0.0.0"]
)
def test_foreign_host_is_refused(dashboard, host):
    for address in ADDRESSES:
        assert dashboard.client.get(address, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:1", "LOCALHOST", "[::1]:8765"])
def test_names_of_this_machine_are_accepted(dashboard, host):
    assert dashboard.client.get("/api/latest", headers={"Host": host}).status_code == 200


def test_public_host_needs_a_token():
    with pytest.raises(PolypipeError, match="POLYPIPE_DASHBOARD_TOKEN"):
        check_binding(settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST="0.0.0.0"))
    check_binding(settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST="0.0.0.0", POLYPIPE_DASHBOARD_TOKEN=TOKEN))
    for host in ("127.0.0.1", "::1", "localhost"):
        check_binding(settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST=host))


def test_url_of_a_wildcard_host_is_loopback():
    assert dashboard_url(settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST="::")) == "http://[::1]:8765"
    assert dashboard_url(settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST="0.0.0.0")) == "http://127.0.0.1:8765"


@pytest.fixture
def guarded(open_dashboard):
    settings = settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST="0.0.0.0", POLYPIPE_DASHBOARD_TOKEN=TOKEN)
    return open_dashboard(settings, host="my-server.lan").client


def test_requests_without_the_token_are_401(guarded):
    for address in (
        *ADDRESSES,
        "/?token=",
        "/?token=wrong",
        f"/api/latest?token={TOKEN}&token=wrong",
        "/static/x/page.css",
    ):
        response = guarded.get(address)
        assert response.status_code == 401, address
        assert TOKEN not in response.text
    for header in ("Bearer wrong", f"Basic {TOKEN}", "Bearer", "Bearer \u00e9".encode()):
        assert guarded.get("/api/latest", headers={"Authorization": header}).status_code == 401


def test_token_in_the_address_becomes_a_cookie(guarded):
    response = guarded.get(f"/?range=7D&token={TOKEN}")
    assert (response.status_code, response.headers["location"]) == (303, "/?range=7D")
    cookie = response.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert guarded.get("/").status_code == 200  # the client keeps the cookie


def test_bearer_token_is_accepted(guarded):
    assert guarded.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_sign_in_never_redirects_to_another_host(guarded):
    for path in (f"//evil.example/?token={TOKEN}", f"/%5Cevil.example/?token={TOKEN}"):
        location = guarded.get(path).headers["location"]
        assert re.match(r"/[^/\\]", location + "x"), location


@pytest.mark.slow
def test_token_is_in_no_response(open_dashboard):
    settings = settings_for(NOWHERE, POLYPIPE_DASHBOARD_TOKEN=TOKEN)
    client = open_dashboard(settings).client
    for address in ADDRESSES:
        if address != "/api/events":
            assert TOKEN not in client.get(address, headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert TOKEN not in repr(settings)


def test_every_response_has_security_headers(dashboard):
    for address in ("/", "/api/latest", "/nowhere", "/api/latest?x=1"):
        headers = dashboard.client.get(address).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; style-src 'self' 'sha256-")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_page_has_no_inline_script_and_no_foreign_address(dashboard):
    html = dashboard.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"\son\w+=", html)
    assert not re.search(r"\sstyle=", html)
    for address in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert address.startswith(("/", "#", "http://127.0.0.1:3000/"))


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_labels_are_escaped(open_dashboard, text):
    dashboard = open_dashboard(settings_for(NOWHERE, POLYPIPE_COPIER_LABEL=text, POLYPIPE_WHALE_LABEL=text))
    html = dashboard.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=\"/static/)", html)
    assert "<img" not in html
    assert "<svg" not in html
    assert dashboard.json("/api/config")["user1_label"] == text.strip()


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_api_returns_hostile_titles_unchanged(dashboard, warehouse, text):
    put_positions(warehouse, [], [position("1", 1000.0, title=text, outcome=text, event_slug=text)])
    (row,) = dashboard.json("/api/positions/rows")["rows"]
    assert (row["title"], row["outcome"], row["event_slug"]) == (text, text, text)


def test_static_serves_only_files_of_the_page(dashboard):
    for path in (
        "/static/x/../app.py",
        "/static/x/..%2Fapp.py",
        "/static/x/%2e%2e%2fapp.py",
        "/static/x/nothing.js",
        "/static/x/",
    ):
        assert dashboard.client.get(path).status_code == 404
    script = dashboard.client.get("/static/old/plotly.min.js", headers={"Accept-Encoding": "identity"})
    assert script.headers["cache-control"] == "no-store"
    assert b"plotly.js" in script.content[:200]


def test_methods_that_change_are_405(dashboard):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert dashboard.client.request(method, "/api/latest").status_code == 405
