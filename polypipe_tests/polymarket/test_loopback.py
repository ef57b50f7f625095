"""Cases that need a real socket: slow and short bodies, gzip, refused connections, proxies."""

import gzip
import json
import socket
import threading

import msgspec
import pytest

from polypipe.polymarket import DeadlineExceeded, Hosts, PolymarketHttp, ServerUnavailable, UnexpectedBody, run
from polypipe_tests.polymarket.socket_server import serving
from polypipe_tests.polymarket.support import client

BODY = json.dumps([{"t": n, "p": 1.5} for n in range(1000)]).encode()


def answer(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Connection: close", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def ask(url: str, **options: object) -> tuple[object, PolymarketHttp]:
    http = client(None, Hosts(pnl=url), **options)
    decode = msgspec.json.Decoder(list[dict[str, float]]).decode
    return run(http, lambda opened: opened.get_json("pnl", "/user-pnl", [], decode)), http


def test_a_compressed_body_counts_decoded_and_received_bytes() -> None:
    packed = gzip.compress(BODY)
    with serving(lambda peer, _: peer.sendall(answer(packed, "Content-Encoding: gzip"))) as url:
        value, http = ask(url)
    assert value == json.loads(BODY)
    assert (http.traffic.bytes, http.traffic.wire_bytes, http.traffic.requests) == (len(BODY), len(packed), 1)


def test_a_dripping_body_cannot_outlast_the_deadline() -> None:
    """No read times out, but the body never ends."""
    sent = 0

    def drip(peer: socket.socket, closing: threading.Event) -> None:
        nonlocal sent
        peer.sendall(answer(b"[", length=10**6))
        while not closing.wait(0.005):
            peer.sendall(b" ")
            sent += 1

    with serving(drip) as url, pytest.raises(DeadlineExceeded, match=r"within 0\.5 s"):
        ask(url, deadline=0.5)
    assert sent > 0


def test_a_server_that_never_answers_cannot_outlast_the_deadline() -> None:
    with serving(lambda _, closing: closing.wait() and None) as url, pytest.raises(DeadlineExceeded):
        ask(url, deadline=0.3)


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_shorter_than_announced_is_an_error(packed: bool) -> None:
    body = gzip.compress(BODY) if packed else BODY
    headers = ["Content-Encoding: gzip"] if packed else []
    torn = answer(body[: len(body) // 2], *headers, length=len(body))
    with (
        serving(lambda peer, _: peer.sendall(torn)) as url,
        pytest.raises(ServerUnavailable, match=r"without sending complete message body.*after 3 attempts"),
    ):
        ask(url, attempts=3)


def test_a_truncated_gzip_stream_of_the_announced_length_is_an_error() -> None:
    body = gzip.compress(BODY)[:-200]
    with (
        serving(lambda peer, _: peer.sendall(answer(body, "Content-Encoding: gzip"))) as url,
        pytest.raises(UnexpectedBody, match="truncated or invalid JSON"),
    ):
        ask(url)


def test_bytes_that_are_not_gzip_are_an_error() -> None:
    with (
        serving(lambda peer, _: peer.sendall(answer(BODY, "Content-Encoding: gzip"))) as url,
        pytest.raises(ServerUnavailable, match="DecodingError"),
    ):
        ask(url)


def test_the_error_for_a_closed_port_names_its_url() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerUnavailable, match="ConnectError") as caught:
            ask(url)
    assert url in str(caught.value)


def test_a_proxy_from_the_environment_is_not_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(lambda peer, _: peer.sendall(answer(BODY))) as url:
        value, _ = ask(url)
    assert value == json.loads(BODY)
