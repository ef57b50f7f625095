"""A fake `/activity` endpoint and rows for it."""

import itertools
from datetime import UTC, datetime
from typing import Any

import httpx

WALLET = "0x" + "ab" * 20
T0 = 1_780_000_000


def at(second: int) -> datetime:
    return datetime.fromtimestamp(T0 + second, UTC)


def raw_activity(second: int, **changes: Any) -> dict[str, Any]:
    row = {
        "proxyWallet": WALLET,
        "timestamp": T0 + second,
        "conditionId": "0xc0",
        "type": "TRADE",
        "size": 10,
        "usdcSize": 5.5,
        "transactionHash": "0xaa",
        "price": 0.55,
        "asset": "123",
        "side": "BUY",
        "outcomeIndex": 0,
        "title": "Will it rain?",
        "slug": "will-it-rain",
        "eventSlug": "rain",
        "outcome": "Yes",
        **changes,
    }
    return {key: value for key, value in row.items() if value is not ...}


class FakeActivity:
    """`/activity` over raw rows. `page_size` caps the rows per response, whatever `limit` is."""

    def __init__(
        self,
        rows: list[dict[str, Any]],
        page_size: int = 500,
        *,
        max_offset: int = 3000,
        includes_end: bool = True,
        reorders: bool = False,
        instead: dict[int, httpx.Response] | None = None,
    ) -> None:
        self.rows = sorted(rows, key=lambda row: row["timestamp"], reverse=True)
        self.page_size = page_size
        self.max_offset = max_offset
        self.includes_end = includes_end
        self.reorders = reorders
        self.instead = instead or {}
        self.requests: list[httpx.QueryParams] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        self.requests.append(query)
        assert request.url.path == "/activity"
        assert query["user"] == WALLET
        assert query["excludeDepositsWithdrawals"] == "false"
        if len(self.requests) in self.instead:
            return self.instead[len(self.requests)]
        offset = int(query["offset"])
        if offset > self.max_offset:
            return httpx.Response(400, json={"error": f"max historical activity offset of {self.max_offset} exceeded"})
        end = int(query["end"]) + self.includes_end
        rows = [row for row in self.rows if row["timestamp"] < end]
        if self.reorders and offset == 0 and len(self.requests) % 2:  # the order within one second is undefined
            rows = [r for _, group in itertools.groupby(rows, lambda r: r["timestamp"]) for r in reversed(list(group))]
        return httpx.Response(200, json=rows[offset : offset + min(int(query["limit"]), self.page_size)])
