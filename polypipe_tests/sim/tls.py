"""A host whose TLS handshake is cut, as by a filter between the client and the API."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def closed_handshake() -> Iterator[str]:
    """The https:// URL of a port that reads the client's first message and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_close_all, args=(server,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)  # ends `accept`
    thread.join(timeout=5)


def _close_all(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(4096)
