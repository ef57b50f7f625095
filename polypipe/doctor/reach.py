"""Whether hosts can be reached: name resolution, one request, and what its `Date` says about our clock."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from polypipe.doctor.answers import Reach
from polypipe.polymarket.errors import Request
from polypipe.polymarket.interception import TITLE_WITHIN_BYTES, Handshake, interception, interrupted


def unresolved(names: Iterable[str], seconds: float) -> dict[str, str]:
    """Returns the host names that do not resolve within `seconds`, each with the reason.

    Uses daemon threads, because a hanging resolver would keep the program from exiting. Behind a proxy no name is
    resolved here.
    """
    if getproxies():
        return {}
    found: dict[str, str] = {}

    def resolve(name: str) -> None:
        try:
            socket.getaddrinfo(name, None)
            found[name] = ""
        except (OSError, UnicodeError) as error:
            found[name] = f"its name does not resolve: {getattr(error, 'strerror', None) or error}"

    threads = [threading.Thread(target=resolve, args=[name], daemon=True) for name in set(names)]
    for thread in threads:
        thread.start()
    ends_at = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    return {name: why for name in names if (why := found.get(name, f"its name does not resolve within {seconds:.0f} s"))}


async def reach(client: httpx.AsyncClient, url: str, left: float) -> Reach:
    """Request a base URL within `left` seconds. Any status counts as an answer."""
    began, clock = time.monotonic(), time.time()
    handshake, request = Handshake(), Request(url)
    body = b""
    try:
        async with (
            asyncio.timeout(left),
            client.stream("GET", url, timeout=left, extensions={"trace": handshake.trace}) as response,
        ):
            seconds = time.monotonic() - began
            if response.status_code != 200:  # a host may have a page of its own at "/"
                body = await anext(response.aiter_bytes(TITLE_WITHIN_BYTES), b"")
    except TimeoutError:
        return Reach(url, left, error=f"no answer within {left:.0f} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if blocked := interrupted(error, handshake, urlsplit(url).hostname or "", request):
            return Reach(url, time.monotonic() - began, error=blocked.reason, blocked=True)
        return Reach(url, time.monotonic() - began, error=f"{type(error).__name__} {error}".strip())
    if response.status_code != 200 and (blocked := interception(response, body, request)):
        return Reach(url, seconds, response.status_code, error=blocked.reason, blocked=True)
    fresh = response.headers.get("age", "0") == "0"  # a cached answer has an old date
    ahead = clock_ahead(response.headers.get("date", ""), clock, clock + seconds) if fresh else None
    return Reach(url, seconds, response.status_code, ahead=ahead)


def clock_ahead(date: str, sent: float, received: float) -> tuple[float, float] | None:
    """Returns how far our clock is ahead of the one that wrote `Date`, and the uncertainty, in seconds.

    None for an unusable header. `sent` and `received` are epoch seconds by our clock; the header was written between
    them and is truncated to the second.
    """
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    written = (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)).timestamp()
    least, most = sent - (written + 1), received - written
    return (least + most) / 2, (most - least) / 2
