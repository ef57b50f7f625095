"""A block between us and Polymarket is named as one, whatever it sends; what the API sends is not."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from polypipe.polymarket import (
    Hosts,
    Intercepted,
    PolymarketError,
    RequestRefused,
    ServerUnavailable,
    UnexpectedBody,
    run,
)
from polypipe_tests.polymarket.socket_server import serving
from polypipe_tests.polymarket.support import client

decode_any = msgspec.json.Decoder().decode
SOMETHING = "something between you and Polymarket answers instead of it: "
NOTICE = "<!doctype html><html><head><title>\n Access&nbsp;restricted by order 12/2026 </title></head><body>"


def failure(answer: httpx.Response | Exception, **options: object) -> PolymarketError:
    def respond(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = client(httpx.MockTransport(respond), attempts=2, **options)
    with pytest.raises(PolymarketError) as caught:
        run(http, lambda opened: opened.get_json("data", "/value", [("user", "0x1")], decode_any))
    return caught.value


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (
            httpx.Response(200, html=NOTICE),
            'HTTP 200 from data-api.polymarket.com with the page "Access restricted by order 12/2026"',
        ),
        (
            httpx.Response(200, content=b"\xef\xbb\xbf\r\n <HTML><TITLE lang=xx>No</TITLE>"),
            'HTTP 200 from data-api.polymarket.com with the page "No"',
        ),
        (
            httpx.Response(200, content=b"", headers={"content-type": "text/html; charset=utf-8"}),
            "HTTP 200 from data-api.polymarket.com with an HTML page without a title",
        ),
        (
            httpx.Response(302, headers={"location": "https://notice.example/why?x=1"}),
            "HTTP 302 from data-api.polymarket.com redirects to notice.example",
        ),
        (
            httpx.Response(307, headers={"location": "//10.0.0.1/login"}, html="<title>Moved</title>"),
            'HTTP 307 from data-api.polymarket.com redirects to 10.0.0.1 with the page "Moved"',
        ),
        (httpx.Response(451, json={"error": "law"}), "HTTP 451 from data-api.polymarket.com"),
        (
            httpx.Response(403, html="<title>Attention Required! | Cloudflare</title>"),
            'HTTP 403 from data-api.polymarket.com with the page "Attention Required! ¦ Cloudflare"',
        ),
        (httpx.Response(511, html="<title>Wi-Fi</title>"), 'HTTP 511 from data-api.polymarket.com with the page "Wi-Fi"'),
        (
            httpx.ProxyError("403 Forbidden"),
            "the proxy does not connect to data-api.polymarket.com (403 Forbidden)",
        ),
    ],
)
def test_a_block_is_named_with_host_status_and_title(answer: httpx.Response | Exception, found: str) -> None:
    error = failure(answer)
    assert type(error) is Intercepted
    assert error.reason == SOMETHING + found
    assert "update" not in str(error)
    assert "wrong shape" not in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(403, json={"error": "forbidden"}), RequestRefused),
        (httpx.Response(404, html="<title>404</title>"), RequestRefused),
        (httpx.Response(301, headers={"location": "/v2/value"}), RequestRefused),
        (httpx.Response(302), RequestRefused),
        (httpx.Response(502, html="<title>Bad gateway</title>"), ServerUnavailable),
        (httpx.Response(200, text="busy"), UnexpectedBody),
        (httpx.ConnectError("All connection attempts failed"), ServerUnavailable),
    ],
)
def test_what_polymarket_itself_may_send_is_not_a_block(answer: httpx.Response | Exception, kind: type[Exception]) -> None:
    error = failure(answer)
    assert type(error) is kind
    assert SOMETHING not in str(error)


def test_a_title_is_harmless_and_bounded() -> None:
    page = "<title>@everyone [click](https://evil.example) \x1b[31m\u202e" + "x" * 100_000 + "</title>"
    error = failure(httpx.Response(200, html=page))
    title = error.reason.split('"')[1]
    assert len(title) <= 80
    assert title.isprintable()
    assert not set("@[]<>\x1b\u202e") & set(title)
    assert "://" not in title


def test_a_block_page_once_is_retried() -> None:
    answers = iter([httpx.Response(200, html=NOTICE), httpx.Response(200, json={"fine": True})])
    http = client(httpx.MockTransport(lambda _: next(answers)))
    assert run(http, lambda opened: opened.get_json("data", "/value", [], decode_any)) == {"fine": True}


def over_tls(url: str) -> PolymarketError:
    http = client(None, Hosts(data=url.replace("http:", "https:")), attempts=2)
    with pytest.raises(PolymarketError) as caught:
        run(http, lambda opened: opened.get_json("data", "/value", [], decode_any))
    return caught.value


@pytest.mark.parametrize(
    "end",
    [
        lambda peer: peer.close(),
        lambda peer: peer.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
        lambda peer: peer.sendall(b"\x15\x03\x03\x00\x02\x02\x28"),  # alert: handshake failure
        lambda peer: peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"),
    ],
    ids=["closed", "plain text", "alert", "reset"],
)
def test_a_tls_handshake_that_is_closed_is_named(end: Callable[[socket.socket], object]) -> None:
    with hello_server(end) as url:
        error = over_tls(url)
    assert type(error) is Intercepted
    assert error.reason == SOMETHING + "TLS handshake closed by 127.0.0.1"
    assert "ConnectError" not in str(error)


def test_a_certificate_of_somebody_else_is_named(tmp_path: Path) -> None:
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=filter.example",
         "-keyout", tmp_path / "key", "-out", tmp_path / "cert"], capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl cannot make a certificate here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    def present(peer: socket.socket) -> None:
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(peer, server_side=True)

    with hello_server(present, reads=False) as url:
        error = over_tls(url)
    assert type(error) is Intercepted
    assert error.reason.startswith(SOMETHING + "the TLS certificate for 127.0.0.1 is not valid (self-signed certificate")


def test_a_closed_port_is_not_a_block() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = over_tls(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert type(error) is ServerUnavailable


def test_plain_answers_over_a_socket_are_recognized() -> None:
    page = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n<title>Blocked</title>"
    with serving(lambda peer, _: peer.sendall(page)) as url, pytest.raises(Intercepted, match='the page "Blocked"'):
        run(client(None, Hosts(data=url), attempts=1), lambda h: h.get_json("data", "/value", [], decode_any))


class hello_server:
    """A server that reads the first bytes of each connection and calls `end(connection)`."""

    def __init__(self, end: Callable[[socket.socket], object], reads: bool = True) -> None:
        self.end, self.reads = end, reads

    def __enter__(self) -> str:
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        for peer in self.connections():
            with peer:
                if self.reads:
                    peer.recv(65536)
                self.end(peer)

    def connections(self) -> Iterator[socket.socket]:
        while True:
            try:
                yield self.listener.accept()[0]
            except OSError:
                return

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
