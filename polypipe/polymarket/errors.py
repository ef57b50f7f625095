"""Errors of the client, by cause. Each names the request, what came back and what to do, on one line."""

from dataclasses import dataclass

from polypipe.errors import PolypipeError

EXCERPT_CHARACTERS = 200


@dataclass(frozen=True)
class Request:
    """A request, for errors. `page` counts from 1 over a whole crawl; None if the request has no pages."""

    url: str
    page: int | None = None
    method: str = "GET"

    def __str__(self) -> str:
        page = f" (page {self.page})" if self.page is not None else ""
        return f"{self.method} {self.url}{page}"


def one_line(text: str) -> str:
    """Escape everything that is not printable, so that the text is one line of a log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def excerpt(body: bytes) -> str:
    """The first 200 characters of a body, printable, on one line."""
    head = body[: EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")
    return one_line(head[:EXCERPT_CHARACTERS])


class PolymarketError(PolypipeError):
    """Base of the client's errors.

    Attributes: `reason` (what went wrong), `request` (None if no single request failed), `status` (HTTP status, None if
    no response came), `body` (first 200 characters, control characters escaped, "" if none), `attempts` (requests sent,
    0 if unknown), `retry_after` (seconds that the server asked us to wait, or None), `transient` (True if the same
    request may succeed later).
    """

    default_hint = "look at the message; if it persists, report it"

    def __init__(
        self,
        reason: str,
        *,
        request: Request | None = None,
        status: int | None = None,
        body: bytes = b"",
        hint: str | None = None,
        retry_after: float | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(reason, hint or self.default_hint)
        self.reason = one_line(reason)
        self.request = request
        self.status = status
        self.body = excerpt(body)
        self.retry_after = retry_after
        self.transient = transient
        self.set_attempts(0)

    def set_attempts(self, attempts: int) -> None:
        """Record the number of requests sent, which is part of the message from the second one on."""
        self.attempts = attempts
        parts = [f"{self.request}: {self.reason}" if self.request else self.reason]
        if attempts > 1:
            parts.append(f"after {attempts} attempts")
        if self.body:
            parts.append(f"answer begins: {self.body}")
        self.message = "; ".join(parts)

    @property
    def page(self) -> int | None:
        """Number of the page that failed, from 1, or None."""
        return self.request.page if self.request else None

    @property
    def url(self) -> str | None:
        """URL with query of the request that failed, or None."""
        return self.request.url if self.request else None

    def __str__(self) -> str:
        return f"{self.message}; what to do: {self.hint}"


class RequestRefused(PolymarketError):
    """A 4xx other than 408, 425 and 429, or a redirect. Not retried: the same request would be refused again."""

    default_hint = "check the base URL in the settings and whether the API has changed"


class ServerUnavailable(PolymarketError):
    """Timeouts, transport errors, 408, 425, 429 or 5xx on every attempt."""

    default_hint = "try again later, as the schedules do"


class DeadlineExceeded(PolymarketError):
    """The operation ran out of time, or would before the server accepts the next attempt."""

    default_hint = "try again later, as the schedules do; if it persists, the API is too slow"


class Intercepted(PolymarketError):
    """Something else answered: an HTML page, a redirect to another host, 451, a TLS handshake that fails.

    Internet providers, countries, proxies, filters and captive portals answer in this way. It says nothing about the
    API.
    """

    default_hint = (
        "open the address in a browser on this machine; switch off the VPN, proxy or filter, or use another network"
    )


class UnexpectedBody(PolymarketError):
    """A successful status with an unusable body: truncated JSON, a missing key, a wrong type."""

    default_hint = "try again later; if it persists, the API has changed and polypipe must be updated"


class CrawlIncomplete(PolymarketError):
    """The pages do not prove a complete listing: a repeated cursor, an empty universe, too many unreadable rows."""

    default_hint = "try again later, as the schedules do; if it persists, report the reason"
