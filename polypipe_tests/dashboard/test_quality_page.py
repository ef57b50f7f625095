"""The copy-quality section in a real browser: numbers add up, follow the selected days, and equal the CSV."""

import csv
import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from polypipe.attribution.parts import DAY_UNKNOWN, EARLIER_UNKNOWN
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.browser import CHROMIUM, Looker, Served, query, until, violations
from polypipe_tests.dashboard.copying_rows import (
    gap_day,
    known_activity,
    metrics_row,
    put_copying,
    quality_row,
    replace_tables,
)
from polypipe_tests.dashboard.support import now, put_snapshots, replace_table, snapshot

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed (Debian: apt-get install chromium)"),
]
DAY = timedelta(days=1)


def midnight():
    return now().replace(hour=0, minute=0, second=0)


def put_days(warehouse, days=30):
    put_copying(warehouse, [midnight() - n * DAY for n in range(1, days + 1)])
    quality = [
        quality_row(midnight() - n * DAY, w, copier_pnl=1.0, whale_pnl=50.0, expected_pnl=4.0, gap=-3.0)
        for n in range(1, days + 1)
        for w in (1, 7, 30)
    ]
    replace_table(warehouse, "copy_quality_daily", quality)


def dollars(text):
    """The cents at the beginning of a text such as "−$1,234.50 worse"."""
    sign, digits = re.match(r"([+−]?)\$([\d,]+\.\d\d)", text.strip()).groups()
    return round(100 * float(digits.replace(",", ""))) * (-1 if sign == "−" else 1)


def waterfall(page):
    """The displayed amounts in cents, from expected PnL to copier PnL."""
    return [dollars(text) for text in page.locator("#part-waterfall tbody td.n").all_inner_texts()]


def test_waterfall_cents_add_up_for_every_span(look, warehouse):
    put_days(warehouse)
    page = look.open("/?range=6H&days=30", charts=False)
    expect(page.locator("#part-waterfall tbody tr")).to_have_count(18)
    seen = []
    for name in ("30 days", "7 days", "1 day"):
        page.locator("#quality-days").get_by_role("button", name=name).click()
        expect(page.locator("#quality-days button[aria-pressed=true]")).to_have_text(name)
        last = midnight() - DAY
        first = last - (int(name.split()[0]) - 1) * DAY
        words = f"{last:%Y-%m-%d}, UTC" if name == "1 day" else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, UTC days"
        expect(page.locator("#quality-sub")).to_have_text(words)
        amounts = waterfall(page)
        assert sum(amounts[:-1]) == amounts[-1], name
        gap = dollars(page.locator("#fact-gap .value").inner_text())
        assert abs(amounts[-1] - amounts[0] - gap) <= 1
        seen.append(amounts)
        assert query(page) == {"range": "6H", "days": name.split()[0]}
    assert len({tuple(amounts) for amounts in seen}) == 3
    page.go_back()
    expect(page.locator("#quality-days button[aria-pressed=true]")).to_have_text("7 days")
    expect(page.locator("#part-waterfall")).to_contain_text("1 of 7 days left out")
    expect(page.locator("#part-waterfall .left-out")).to_contain_text("the points end too early")
    until = midnight() - 10 * DAY
    page.locator("#quality-until").fill(f"{until:%Y-%m-%d}")
    expect(page.locator("#quality-sub")).to_contain_text(f"to {until:%Y-%m-%d}")
    assert query(page)["until"] == f"{until:%Y-%m-%d}"


def test_downloaded_csv_equals_the_table(look, warehouse):
    put_days(warehouse, 9)
    page = look.open("/?days=7", charts=False)
    expect(page.locator("#part-waterfall tbody tr")).to_have_count(18)
    shown = waterfall(page)
    with page.expect_download() as download:
        page.locator("#part-waterfall").get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert len(rows) == len(shown) == 18
    assert all(abs(100 * float(row["usd"]) - cents) < 1.01 for row, cents in zip(rows, shown, strict=True))
    page.locator("#class-dimensions").get_by_role("button", name=re.compile("^sport")).click()
    expect(page.locator("#class-rows tbody tr")).to_have_count(1)
    expect(page.locator("#class-rows")).to_contain_text("▼ costs")
    page.locator("#class-dimensions").get_by_role("button", name=re.compile("^price")).click()
    page.locator("#class-rows thead").get_by_role("button", name=re.compile("^price")).click()
    expect(page.locator("#class-rows tbody th").first).to_have_text("0.20-0.40")
    expect(page.locator("#class-rows tbody")).to_contain_text("not distinguishable from zero")
    with page.expect_download() as download:
        page.locator("#classes-csv").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert [row["value"] for row in rows] == page.locator("#class-rows tbody th").all_inner_texts()
    page.locator("#class-filter").fill("0.05")
    expect(page.locator("#class-rows tbody tr")).to_have_count(1)
    expect(page.locator("#part-exits tbody tr").first).to_contain_text("$50.00")
    assert page.locator("#part-exits tbody a").first.get_attribute("href") == "https://polymarket.com/event/event-2"


def test_every_number_has_its_formula_for_mouse_and_keyboard(look, warehouse):
    put_days(warehouse, 9)
    page = look.open("/?days=7", width=390, charts=False)
    tips = page.locator("#quality .tip")
    expect(tips.first).to_be_attached()
    facts = page.locator("#quality-copying .panel")
    assert facts.count() == page.locator("#quality-copying .tip").count() == 11
    assert page.locator("#part-waterfall tbody tr").count() == page.locator("#part-waterfall .tip").count() == 18
    tip = page.locator("#quality-copying .panel", has_text="Copy rate").locator(".tip")
    for title, words in {
        "Gap": "over 6 of 7 days",
        "Copy rate": "Copied 4 ÷ eligible 5",
        "Coverage": "$450.00 of $500.00",
        "Fill ratio": "over the 4 copied fills",
        "Slippage": "$2.25 in all",
        "Fees": "Fees of the copies",
        "Whale as a maker": "cannot be copied by a taker",
        "Break-even edge": "slippage + fees",
        "Latency": "over 28 copied fills",
        "Shortfall": "+$2.25 of it is slippage, +$1.25 the rest",
    }.items():
        about = facts.filter(has_text=re.compile(f"^{title}")).locator(".tip").get_attribute("aria-label")
        assert words in about, title
    about = page.locator("#fact-gap .tip").get_attribute("aria-label")
    ends = [about.partition(words)[2] for words in ("Copier PnL of ", "which is ")]
    assert abs(dollars(ends[0]) - dollars(ends[1]) - dollars(page.locator("#fact-gap .value").inner_text())) <= 1
    assert page.locator("#part-funnel tbody tr").count() == page.locator("#part-funnel tbody .tip").count() == 7
    breaker = page.locator("#part-funnel tr", has_text="breaker").locator(".tip").get_attribute("aria-label")
    assert "7 of the 35 of the step above, worth $350.00" in breaker
    for one in (tip, page.locator("#class-rows .tip").last):
        one.focus()
        expect(one.locator(".bubble")).to_be_visible()
        box = one.locator(".bubble").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_bubble_scrolls_with_its_number(look, warehouse):
    put_days(warehouse, 9)
    page = look.open("/?days=7", charts=False)
    tip = page.locator("#part-waterfall .tip").first
    tip.focus()
    bubble = tip.locator(".bubble")
    expect(bubble).to_be_visible()

    def apart() -> float:
        one, other = tip.bounding_box(), bubble.bounding_box()
        return min(abs(other["y"] - one["y"] - one["height"]), abs(one["y"] - other["y"] - other["height"]))

    before = tip.bounding_box()["y"]
    page.evaluate("window.scrollBy(0, 120)")
    until(page, lambda: abs(tip.bounding_box()["y"] - before) > 100 and apart() < 10)


def test_typed_day_is_requested_once_complete(look, warehouse):
    put_days(warehouse, 9)
    page = look.open("/?days=1", charts=False)
    expect(page.locator("#part-waterfall tbody tr")).to_have_count(18)
    day = midnight() - 3 * DAY
    page.locator("#quality-until").focus()
    page.keyboard.type(f"{day:%m%d%Y}")
    expect(page.locator("#quality-sub")).to_have_text(f"{day:%Y-%m-%d}, UTC")
    assert query(page)["until"] == f"{day:%Y-%m-%d}"
    assert {address for address in look.requests if "until=0" in address} == set()
    page.go_back()  # one step back: nothing else was selected
    expect(page.locator("#quality-sub")).to_have_text(f"{midnight() - DAY:%Y-%m-%d}, UTC")
    expect(page.locator("#quality-until")).to_have_value(f"{midnight() - DAY:%Y-%m-%d}")
    page.locator("#quality-until").fill("2001-01-01")  # before the first stored day: no request
    page.locator("#quality-until").blur()
    expect(page.locator("#quality-until")).to_have_value(f"{midnight() - DAY:%Y-%m-%d}")
    assert query(page) == {"days": "1"}


def test_unknown_fills_are_noted_at_every_number_they_affect(look, warehouse):
    put_days(warehouse, 30)
    last = midnight() - DAY
    put_gaps = [
        gap_day(last, -500.0, {DAY_UNKNOWN: None}, slippage=-1.0, unexplained=-150.0),
        gap_day(last - DAY, -500.0, {EARLIER_UNKNOWN: None}, slippage=-1.0),
    ]
    metrics = [metrics_row(last, 1), metrics_row(last, 30, days_known=28), metrics_row(last - DAY, 1)]
    replace_tables(warehouse, gap_attribution=put_gaps, copy_metrics_daily=metrics, uncopied_exits=[])
    page = look.open("/?days=1", charts=False)
    expect(page.locator("#part-waterfall .notice")).to_contain_text(
        "The unexplained part is larger than all causes together"
    )
    expect(page.locator("#part-waterfall .notice")).to_contain_text(DAY_UNKNOWN)
    expect(page.locator("#part-waterfall tr.total").first).to_contain_text("to lose")
    expect(page.locator("#part-exits .notice")).to_contain_text(f"Exits may be missing: {DAY_UNKNOWN}")
    coverage = page.locator("#quality-copying .panel", has_text="Coverage")
    expect(coverage).to_contain_text(f"unknown{DAY_UNKNOWN}")
    expect(page.locator("#quality-notices")).to_be_empty()
    assert violations(page) == []
    page.locator("#quality-days").get_by_role("button", name="30 days").click()
    expect(page.locator("#quality-notices")).to_contain_text("Fills are known and matched on 28 of 30 days")
    page.goto(f"{page.url.partition('?')[0]}?days=1&until={last - DAY:%Y-%m-%d}")
    expect(coverage).to_contain_text(f"may be off: {EARLIER_UNKNOWN}")
    expect(page.locator("#part-waterfall .notice")).to_have_count(0)


def test_what_if_answer_survives_new_data(look, warehouse):
    put_days(warehouse, 8)
    replace_tables(warehouse, **known_activity([midnight() - n * DAY for n in range(1, 9)]))
    page = look.open()
    form = page.locator("#whatif-form")
    expect(form.locator("[name=ratio]")).to_have_value("0.08")
    form.locator("[name=ratio]").fill("0.02")
    form.locator("[name=tiers]").fill("none")
    form.locator("[name=floor]").fill("0")
    form.get_by_role("button", name="Compute").click()
    rows = page.locator("#whatif-table tbody tr")
    expect(rows).to_have_count(4)
    found = page.request.get(f"{look.url}/api/quality/whatif?ratio=0.02&tiers=none&floor=0&days=30").json()
    names = (("copier_pnl", "replayed_pnl"), ("expected_in_force", "plain_pnl"), ("gap_in_force", "gap"))
    for n, pair in enumerate(names):  # to the cent what the API says
        assert [dollars(text) for text in rows.nth(n).locator("td").all_inner_texts()] == [
            round(100 * found[name]) for name in pair
        ]
    assert found["replayed_pnl"] != 0
    assert rows.nth(1).locator("td").all_inner_texts() == ["+$32.00", "+$8.00"]  # 8 days of 4, and 2 % of 8 x 50
    expect(page.locator("#whatif-advice")).to_have_text(found["advice"]["sentence"])
    expect(page.locator("#replay-error")).to_contain_text("Replay error")
    by_ratio = page.locator("details.grid").first.locator("tbody tr")
    expect(by_ratio).to_have_count(8)
    shown = [dollars(text) for text in by_ratio.locator("td:nth-child(2)").all_inner_texts()]
    assert shown == [round(100 * row["copier_pnl"]) for row in found["grid"] if row["dimension"] == "ratio"]
    expect(page.locator("#ratio-plot .main-svg").first).to_be_visible()
    assert violations(page) == []
    with page.expect_download() as download:
        page.locator("#whatif-answer").get_by_role("link", name="CSV", exact=True).click()
    first = next(csv.DictReader(download.value.path().read_text().splitlines()))
    assert (first["number"], float(first["actual"]), float(first["what_if"])) == ("expected_pnl", 32.0, 8.0)
    replace_table(warehouse, "positions", [])  # new data: the answer stays
    page.keyboard.press("Escape")
    page.locator("#refresh").click()
    expect(form.locator("[name=ratio]")).to_have_value("0.02")
    expect(rows).to_have_count(4)
    form.locator("[name=tiers]").fill("many")
    form.get_by_role("button", name="Compute").click()
    expect(page.locator("#whatif-answer .notice")).to_contain_text("SHARES:FACTOR")
    look.errors.clear()  # the console lists every 400


def test_unknown_numbers_and_stale_days_have_notices(look, warehouse):
    put_snapshots(warehouse, [snapshot(now())])
    day = midnight() - 9 * DAY
    metrics = metrics_row(day, 7, realised_ratio=0.05, slippage_cents_low=None, slippage_cents_high=None)
    replace_tables(warehouse, gap_attribution=[gap_day(day, None)], copy_metrics_daily=[metrics])
    page = look.open("/?days=7", charts=False)
    expect(page.locator("#quality-notices")).to_contain_text(f"Stale: the newest day is {day:%Y-%m-%d}")
    expect(page.locator("#quality-notices")).to_contain_text("the copier's fills show a ratio of 0.05")
    expect(page.locator("#fact-gap .value")).to_contain_text("unknown")
    assert page.locator("#fact-gap .word").count() == 0  # an unknown gap has no verdict
    expect(page.locator("#part-waterfall")).to_contain_text("7 of 7 days left out")
    expect(page.locator("#part-funnel")).to_contain_text("The whale did not trade on these days.")
    expect(page.locator("#part-slippage")).to_contain_text("nothing was copied on these days")
    expect(page.locator("#part-exits")).to_contain_text("None at")
    expect(page.locator("#quality-log")).to_contain_text("No line of matches_optimized.csv has been read")
    assert "$0.00" not in page.locator("#part-waterfall").inner_text()
    assert violations(page) == []


def test_single_day_is_drawn_on_an_axis_of_seven_days(look, warehouse):
    put_days(warehouse, 1)
    week = quality_row(midnight() - DAY, 7, beta=0.06, beta_to_ratio=0.75, beta_low=0.04, beta_high=0.088, reasons="{}")
    replace_table(warehouse, "copy_quality_daily", [quality_row(midnight() - DAY), week])
    page = look.open("/?days=1")
    labels = page.locator("#quality-plot .xtick text")
    expect(labels.last).to_have_text(f"{midnight() - DAY:%b %-d}")
    expect(labels).to_have_count(7)
    beta = page.locator("#quality-windows tr", has_text="Beta").first
    expect(beta).to_contain_text("0.75×")
    expect(beta).to_contain_text("95 %: 0.50× to 1.10×")
    assert "0.0600 ÷ 0.08." in beta.locator(".tip").get_attribute("aria-label")
    expect(page.locator("#quality-windows .panel").last).to_contain_text("not computed yet")


def test_pnl_numbers_show_their_inputs(look, warehouse):
    """Rows of earlier versions have no inputs and show the formula alone."""
    put_days(warehouse, 1)
    sums = {"up_copier": 40.0, "up_expected": 50.0, "down_copier": -30.0, "down_expected": -25.0}
    spreads = {"hourly_gap_mean": -0.05, "hourly_gap_sd": 0.5, "hourly_copier_sd": 1.25, "hourly_whale_sd": 12.5}
    week = quality_row(midnight() - DAY, 7, beta=0.06, hours_covered=166, reasons="{}", **sums, **spreads)
    replace_table(warehouse, "copy_quality_daily", [quality_row(midnight() - DAY), week, quality_row(midnight() - DAY, 30)])
    page = look.open(charts=False)
    panels = page.locator("#quality-windows .panel")
    expect(panels).to_have_count(2)
    new, old = panels.all()
    inputs = {
        "Capture up": "+$40.00 ÷ (+$50.00). ",
        "Capture down": "−$30.00 ÷ (−$25.00). ",
        "R²": "(0.0600 × $12.5000 ÷ $1.2500)². ",
        "Tracking error": "$0.5000 × √24. ",
    }
    for name, shown in inputs.items():
        with_them, alone = (
            panel.locator("tr", has_text=name).first.locator(".tip").get_attribute("aria-label") for panel in (new, old)
        )
        assert shown in with_them
        assert alone == with_them.replace(shown, "").replace("166", "24")


def test_log_is_shown_without_wallets(browser):
    with Served(settings_for(NOWHERE)) as served:
        look = Looker(browser, served)
        page = look.open(charts=False)
        expect(page.locator("#quality-body")).to_contain_text("No wallets to compare: set POLYPIPE_COPIER_ADDRESS")
        expect(page.locator("#quality-log")).to_contain_text("The bot's log")
        assert page.locator("#quality-body .part").count() == 0
        assert look.errors == []
        page.context.close()
