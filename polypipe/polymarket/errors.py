"""Every way in which asking Polymarket can fail, as types.

Each error says on one line what was asked, what came back and what to do. Nothing here talks to the network.
"""

from dataclasses import dataclass

from polypipe.errors import PolypipeError

EXCERPT_CHARACTERS = 200


@dataclass(frozen=True)
class Request:
    """What was asked: one GET. `page` counts from 1 over a whole crawl; None where there are no pages."""

    url: str
    page: int | None = None
    method: str = "GET"

    def __str__(self) -> str:
        page = f" (page {self.page})" if self.page is not None else ""
        return f"{self.method} {self.url}{page}"


def one_line(text: str) -> str:
    """`text` with everything that is not printable written as an escape, so that it stays one line of a log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def excerpt(body: bytes) -> str:
    """The first 200 characters of a body, printable, on one line."""
    head = body[: EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")
    return one_line(head[:EXCERPT_CHARACTERS])


class PolymarketError(PolypipeError):
    """Base of all errors of this package.

    Attributes: `reason` (what went wrong), `request` (None if no request is to blame), `status` (HTTP status or None
    if none came back), `body` (first 200 characters, control characters escaped, "" if none), `advice` (what to
    do), `attempts` (requests made for this answer, 0 if not known), `retry_after` (seconds the server asked us to
    wait, or None), `transient` (whether the same request may succeed if repeated).
    """

    advice = "look at the message; if it persists, report it"

    def __init__(
        self,
        reason: str,
        *,
        request: Request | None = None,
        status: int | None = None,
        body: bytes = b"",
        advice: str | None = None,
        retry_after: float | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = one_line(reason)
        self.request = request
        self.status = status
        self.body = excerpt(body)
        self.advice = advice or type(self).advice
        self.retry_after = retry_after
        self.transient = transient
        self.attempts = 0

    @property
    def page(self) -> int | None:
        """Number of the page that failed, from 1, or None."""
        return self.request.page if self.request else None

    @property
    def url(self) -> str | None:
        """The URL with its query, or None if no request is to blame."""
        return self.request.url if self.request else None

    def __str__(self) -> str:
        parts = [f"{self.request}: {self.reason}" if self.request else self.reason]
        if self.attempts > 1:
            parts.append(f"after {self.attempts} attempts")
        if self.body:
            parts.append(f"answer begins: {self.body}")
        return "; ".join([*parts, f"what to do: {self.advice}"])


class RequestRefused(PolymarketError):
    """A redirect or a 4xx other than 429: the same request will be refused again, so it is not repeated."""

    advice = "check the base URL in the settings and whether the API has changed"


class ServerUnavailable(PolymarketError):
    """Timeouts, transport errors, 429 or 5xx until the attempts were used up."""

    advice = "try again later, as the schedules do"


class DeadlineExceeded(PolymarketError):
    """The operation's total time ended, or would end before the server lets us ask again."""

    advice = "try again later, as the schedules do; if it persists, the API is too slow for us"


class UnexpectedBody(PolymarketError):
    """A successful status with a body that cannot be used: HTML, torn JSON, a missing key, a wrong type."""

    advice = "try again later; if it persists, the API has changed and polypipe must follow"


class CrawlIncomplete(PolymarketError):
    """Pages were read but do not prove the whole listing: a repeated cursor, an empty universe, too many bad rows."""

    advice = "try again later, as the schedules do; if it persists, report the reason"
