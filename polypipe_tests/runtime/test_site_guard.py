"""Requests that a page of another site can make a browser send are refused."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from polypipe.runtime.site_guard import MAX_BODY, SiteGuard

OURS = "http://127.0.0.1:3000"
MUTATION = "/graphql?query=mutation{wipe}"


@pytest.fixture
def browser():
    async def answer(request):
        await request.body()
        return PlainTextResponse("done")

    async def chat(socket: WebSocket):
        await socket.accept()
        await socket.send_text("done")
        await socket.close()

    methods = ["GET", "POST"]
    app = Starlette(routes=[Route("/{path:path}", answer, methods=methods), WebSocketRoute("/graphql", chat)])
    return TestClient(SiteGuard(app), base_url=OURS)


def test_requests_of_the_ui_are_served(browser):
    own = {"origin": OURS, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    assert browser.post("/graphql?op=Launch", json={"query": "mutation{launch}"}, headers=own).text == "done"
    opened = {"accept": "text/html", "sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert browser.get("/runs", headers=opened).text == "done"
    with browser.websocket_connect("/graphql", headers={"origin": OURS, "host": "127.0.0.1:3000"}) as socket:
        assert socket.receive_text() == "done"


def test_requests_of_scripts_are_served(browser):
    assert browser.post("/graphql", json={"query": "{version}"}).text == "done"
    assert browser.post("/report_asset_materialization/x").text == "done"


def test_a_link_from_another_site_opens_the_page(browser):
    link = {
        "accept": "text/html",
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert browser.get("/assets/live_cache", headers=link).text == "done"
    assert browser.get(MUTATION, headers=link).text == "done"  # with `Accept: text/html` the webserver shows its editor


@pytest.mark.parametrize("name", ["localhost:3000", "127.0.0.1", "[::1]:3000", "LOCALHOST"])
def test_names_of_this_machine_are_served(browser, name):
    assert browser.get("/", headers={"host": name}).text == "done"


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "evil@127.0.0.1.x", "", "[", "0.0.0.0", "10.0.0.1"]
)
def test_any_other_host_name_is_refused(browser, name):
    assert browser.get("/", headers={"host": name}).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1:8765"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:3000.evil.example"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {
            "sec-fetch-site": "cross-site",
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
            "origin": "http://evil.example",
        },
    ],
)
def test_requests_from_another_site_are_refused(browser, headers):
    assert browser.get("/", headers=headers).status_code == 403
    assert browser.post("/graphql", content="x", headers={"content-type": "text/plain", **headers}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_websocket_of_another_site_is_closed(browser, origin):
    with (
        pytest.raises(WebSocketDisconnect),
        browser.websocket_connect("/graphql", headers={"origin": origin, "host": "127.0.0.1:3000"}),
    ):
        pass


@pytest.mark.parametrize("ask", ["get", "post"])
def test_a_query_in_the_url_is_refused(browser, ask):
    assert getattr(browser, ask)(MUTATION).status_code == 405
    assert getattr(browser, ask)("/graphql?op=x&%71uer%79=mutation{wipe}").status_code == 405  # the webserver unescapes it
    assert getattr(browser, ask)("/graphql/?variables={}&query=x").status_code == 405


def test_an_oversized_body_is_not_read(browser):
    assert browser.post("/graphql", content=b"x" * MAX_BODY).text == "done"
    assert browser.post("/graphql", content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert browser.post("/graphql", content=iter([b"x"] * 3)).status_code == 411
