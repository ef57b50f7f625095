"""Hostile requests to both web ports of a running demo are refused or have no effect, and the servers keep serving.

Titles and labels that contain HTML are tested in a real browser in `polypipe_tests/dashboard/`.
"""

import contextlib
import resource
import socket
import time

import httpx
import psutil
import pytest

from polypipe_tests.runtime.support import Server

pytestmark = pytest.mark.slow

SLOW_CONNECTIONS = 1000
USUAL_DESCRIPTORS = 1024  # the limit of a login session, which the servers must raise if they need more

PATHS = [
    "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/static/..%2f..%2fstore.py", "/static/%2e%2e/%2e%2e/app.py",
    "//evil.example/", "/static/....//....//app.py", "/%00", "/static/page.css%00.png", "/\\..\\..\\etc\\passwd",
    "/api/latest/../../../etc/passwd",
]  # fmt: skip
FORGED = "/graphql?query=mutation{setConcurrencyLimit(concurrencyKey:%22forged%22,limit:1)}"
LIMITS = "{ instance { concurrencyLimits { concurrencyKey } } }"


class LimitedServer(Server):
    """A demo whose processes start with the descriptor limit of a login session."""

    def start(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_DESCRIPTORS, hard))
        try:
            super().start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = LimitedServer(tmp_path_factory.mktemp("hostile"))
    try:
        running.wait_for(lambda: all(answers(port) for port in ports(running)))
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def ports(server: Server) -> dict[int, str]:
    """The web ports, each with a path that answers 200."""
    return {server.port: "/server_info", int(server.env["POLYPIPE_DASHBOARD_PORT"]): "/api/config"}


def answers(port: int, path: str = "/", **request) -> int | None:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.request(
            request.pop("method", "GET"), f"http://127.0.0.1:{port}{path}", timeout=20, trust_env=False, **request
        ).status_code
    return None


def raw(port: int, request: bytes) -> bytes:
    """Send raw bytes, which a client library would normalise, and return the start of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) < 100_000 and (part := connection.recv(65_536)):
            answer += part
        return answer


def unharmed(server: Server) -> bool:
    return all(answers(port, path) == 200 for port, path in ports(server).items())


def test_hostile_requests_are_refused_or_have_no_effect(server, figures):
    refused = 0
    for port in ports(server):
        for name in ("evil.example", "127.0.0.1.evil.example", "169.254.169.254"):
            assert answers(port, headers={"host": name}) == 400
            refused += 1
        for path in PATHS:
            answer = raw(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            assert b"root:" not in answer
            assert b"import " not in answer
            refused += 1
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT"):
            assert answers(port, method=method) in (400, 404, 405, 501)
            refused += 1
        for request in (
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01",
            b"GET " + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        ):
            assert not raw(port, request).startswith(b"HTTP/1.1 200")
            refused += 1
        long_query = answers(port, "/api/history?hours=" + "9" * 50_000, headers={"accept": "application/json"})
        page_of_the_ui = 200 if port == server.port else 400  # the UI serves its page for any path
        assert long_query in (page_of_the_ui, None, 400, 414, 422, 431)
        headers = {"origin": "http://evil.example", "content-type": "text/plain"}
        assert answers(port, "/graphql", method="POST", content="x", headers=headers) in (403, 404, 405)
        refused += 2
    figures.add(
        7,
        "wrong Host, path tricks, malformed and oversized requests",
        refused,
        "refused or without effect; both ports keep serving",
    )
    assert unharmed(server)


def test_no_page_of_another_site_changes_anything(server, figures):
    port = server.port
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    form = {"origin": "http://evil.example", "content-type": "text/plain"}
    dashboard = {"origin": f"http://127.0.0.1:{server.env['POLYPIPE_DASHBOARD_PORT']}", "sec-fetch-site": "same-site"}
    assert answers(port, FORGED) == 405
    assert answers(port, FORGED, headers=image) == 403
    for headers in (form, dashboard):
        assert answers(port, FORGED, method="POST", headers=headers) == 403
        assert answers(port, "/report_asset_materialization/live_cache", method="POST", headers=headers) == 403
    assert answers(port, "/graphql", method="POST", json={"query": "x" * 2_000_000}) == 413
    assert "forged" not in str(server.query(LIMITS))
    figures.add(7, "cross-site requests to the Dagster UI", 7, "refused; nothing changed")


def test_a_thousand_slow_connections_do_not_block_others(server, figures):
    beginnings = (
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n",
    )
    before = sum(child.num_fds() for child in server.children())
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        for port in ports(server):
            for number in range(SLOW_CONNECTIONS):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
                connection.sendall(beginnings[number % len(beginnings)])
        for _ in range(3):
            assert unharmed(server)
    took = time.monotonic() - started
    server.wait_for(lambda: sum(child.num_fds() for child in server.children() if alive(child)) < before + 200)
    assert unharmed(server)
    figures.add(
        7,
        "slow connections held open on both web ports",
        2 * SLOW_CONNECTIONS,
        f"others were served meanwhile ({took:.0f} s in all)",
    )


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
