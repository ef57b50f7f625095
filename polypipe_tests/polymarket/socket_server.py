"""A server that answers with raw bytes, for cases that no HTTP library sends."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Respond = Callable[[socket.socket, threading.Event], None]


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """Run a server that reads a request and calls `respond(connection, closing)`; yields its URL."""
    closing = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received = b""
            while b"\r\n\r\n" not in received:
                received += self.request.recv(65536) or b"\r\n\r\n"
            try:
                respond(self.request, closing)
            except OSError:  # the client has disconnected, as it should
                return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            closing.set()
            server.shutdown()
            thread.join()
