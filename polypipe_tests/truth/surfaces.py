"""What each surface says about the same days: the commands' JSON and text, the page's API and its export."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.testclient import TestClient

from polypipe.attribution.quality_report import QualityReport, quality_of
from polypipe.attribution.quality_text import quality_lines
from polypipe.attribution.whatif import what_if
from polypipe.dashboard.app import build_app
from polypipe.dashboard.store import Store
from polypipe.divergence.copy_rule import rule_of
from polypipe.settings import Settings, load_settings
from polypipe.warehouse import Warehouse
from polypipe_tests.truth.product import Found

_LINE = re.compile(r"^ +(\w[\w' ]*?) {2,}(-?\$[\d,.]+)(?:$| \()")


def report_of(found: Found, first: date, last: date) -> QualityReport:
    return quality_of(found.warehouse, found.wallets, first, last)


def quality_json(report: QualityReport) -> dict[str, Any]:
    """What `polypipe quality --json` prints."""
    body: dict[str, Any] = json.loads(report.as_json())
    return body


def quality_money(report: QualityReport) -> dict[str, Decimal]:
    """Name -> USD of each line of `polypipe quality` that is an amount."""
    found = (_LINE.match(line) for line in quality_lines(report))
    return {match[1].replace(" ", "_"): _money(match[2]) for match in found if match}


def what_if_json(found: Found, first: date, last: date, ratio: float) -> dict[str, Any]:
    """What `polypipe whatif --json` prints for the bot's rule at a ratio."""
    return what_if(found.warehouse, found.wallets, rule_of(found.wallets.bot, ratio), first, last).as_json()


@contextmanager
def page(found: Found) -> Iterator[TestClient]:
    """A client of the dashboard on the same home."""
    settings: Settings = load_settings(
        overrides={
            "POLYPIPE_HOME": str(found.warehouse.layout.home),
            "POLYPIPE_COPIER_ADDRESS": found.wallets.copier,
            "POLYPIPE_WHALE_ADDRESS": found.wallets.whale,
            "POLYPIPE_SCALING_RATIO": str(found.wallets.ratio),
        }
    )
    settings = replace(settings, home=found.warehouse.layout.home)
    with Store(Warehouse(settings.home), settings, poll_seconds=3600) as store:
        store.refresh()
        with TestClient(build_app(settings, store), base_url="http://127.0.0.1:8765") as client:
            yield client


def exported(client: TestClient, what: str, **asked: str) -> list[dict[str, str]]:
    """The rows of the page's CSV export."""
    answer = client.get("/api/export.csv", params={"what": what, **asked})
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def _money(text: str) -> Decimal:
    return Decimal(text.replace("$", "").replace(",", ""))
