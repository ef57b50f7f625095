"""Recognizes answers that do not come from Polymarket: block pages, redirects to a notice, refused TLS handshakes.

The page is hostile text: only its title is shown, made harmless and shortened.
"""

import html
import re
from typing import TYPE_CHECKING

from polypipe.polymarket.errors import Intercepted, Request
from polypipe.text import plain

if TYPE_CHECKING:
    import httpx

INTERCEPTED = "something between you and Polymarket answers instead of it"
"""Begins the reason of every `Intercepted`."""

ALWAYS = frozenset((407, 451, 511))  # proxy login, legal block, captive portal: Polymarket sends none of them
TITLE_CHARACTERS = 80
TITLE_WITHIN_BYTES = 64 * 1024


def interception(response: "httpx.Response", body: bytes, request: Request) -> Intercepted | None:
    """The error for a response that Polymarket did not send; None if it may come from Polymarket.

    HTML with 5xx is None: Polymarket's own proxies send it under load. HTML with 200 is `transient` for the same reason.
    """
    status = response.status_code
    host = response.url.host
    if 300 <= status < 400:
        target = response.headers.get("location", "")
        elsewhere = _host(response.url, target)
        if elsewhere is None or elsewhere == host:
            return None
        found = f"HTTP {status} from {host} redirects to {plain(elsewhere, TITLE_CHARACTERS)}"
    elif status in ALWAYS or (status in (200, 403) and is_html(response, body)):
        found = f"HTTP {status} from {host}"
    else:
        return None
    if is_html(response, body):
        title = page_title(body)
        found += f' with the page "{title}"' if title else " with an HTML page without a title"
    return Intercepted(f"{INTERCEPTED}: {found}", request=request, status=status, transient=status == 200)


class Handshake:
    """Notes whether the TLS handshake of one request failed. Pass `trace` as the request's extension `trace`."""

    failed = False

    async def trace(self, event: str, _info: dict[str, object]) -> None:
        """Receives the transport's events."""
        self.failed = self.failed or event.endswith(".start_tls.failed")


def interrupted(error: Exception, handshake: Handshake, host: str, request: Request) -> Intercepted | None:
    """The error for a request to `host` that got no answer because of TLS or a proxy; None for other causes."""
    import ssl

    import httpx

    if isinstance(error, httpx.ProxyError):
        return Intercepted(
            f"{INTERCEPTED}: the proxy does not connect to {host} ({plain(str(error), TITLE_CHARACTERS)})",
            request=request,
            hint="check HTTPS_PROXY and the proxy's rules",
            transient=True,
        )
    if not handshake.failed or isinstance(error, httpx.TimeoutException):
        return None
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    what = f"TLS handshake closed by {host}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"the TLS certificate for {host} is not valid ({plain(cause.verify_message, TITLE_CHARACTERS)})"
    return Intercepted(f"{INTERCEPTED}: {what}", request=request, transient=True)


def is_html(response: "httpx.Response", body: bytes) -> bool:
    """True if the body is an HTML page, by its type or its first character."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    begins = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return begins == b"<" or (kind in ("text/html", "application/xhtml+xml") and begins not in (b"{", b"["))


def page_title(body: bytes) -> str:
    """The title of an HTML page on one harmless line of at most 80 characters; "" if it has none."""
    head = body[:TITLE_WITHIN_BYTES].decode("utf-8", "replace")
    match = re.search(r"<title[^>]{0,200}>([^<]{0,2000})", head, re.IGNORECASE)
    return plain(html.unescape(match[1]), TITLE_CHARACTERS).strip() if match else ""


def _host(base: "httpx.URL", location: str) -> str | None:
    """The host that a redirect leads to; None without a readable target."""
    import httpx

    try:
        return base.join(location).host if location else None
    except httpx.InvalidURL:
        return None
