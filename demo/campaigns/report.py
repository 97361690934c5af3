"""The report of campaigns, compared with the truth to the cent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from demo.campaigns.performance import ArmTruth, ShopTruth
from demo.campaigns.shop import CampaignTruth

Row = dict[str, int | Decimal]
Arm = tuple[str, str, str | None]
AMOUNTS = ("revenue", "discount", "click_percent")
COUNTS = ("orders", "impressions", "clicks", "repurchases")
TOLERANCE_PERCENT = 0.011
"""Of a bound of an interval: both are rounded to two decimals."""


def differing_report(truth: CampaignTruth, printed: Mapping[str, str]) -> list[str]:
    """What the report of each shop, as lines of JSON, has otherwise than it must."""
    return [
        line
        for shop, text in printed.items()
        for line in _differing_rows(shop, wanted_rows(truth.shops[shop]), found_rows(text))
    ]


def wanted_rows(truth: ShopTruth) -> dict[str | None, Row]:
    """The figures that are not 0, by campaign (None: orders without a credit)."""
    rows: dict[str | None, Row] = {}
    for (campaign, currency), money in truth.money.items():
        row = rows.setdefault(campaign, {})
        row["orders"] = row.get("orders", 0) + money.orders
        row[f"revenue_{currency.lower()}"] = money.revenue
        row[f"discount_{currency.lower()}"] = money.discount
    for name in ("impressions", "clicks", "repurchases"):
        for campaign, count in getattr(truth, name).items():
            rows.setdefault(campaign, {})[name] = count
    for campaign, clicks in truth.clicks.items():
        rows[campaign]["click_percent"] = _percent(clicks, truth.impressions[campaign])
    return {campaign: without_zeros(row) for campaign, row in rows.items()}


def found_rows(text: str) -> dict[str | None, Row]:
    """The same as they were printed."""
    rows: dict[str | None, Row] = {}
    for line in text.splitlines():
        printed = json.loads(line)
        rows[printed["campaign_id"]] = without_zeros(_figures(printed))
    return {campaign: row for campaign, row in rows.items() if row}


def without_zeros(row: Row) -> Row:
    """A row without what is 0: whether that is printed is not judged."""
    return {name: figure for name, figure in row.items() if figure}


def _figures(printed: Mapping[str, Any]) -> Row:
    found: Row = {}
    for name, value in printed.items():
        if name.startswith(AMOUNTS) and value is not None:
            found[name] = Decimal(value)
        elif name in COUNTS:
            found[name] = value or 0
    return found


def _differing_rows(
    shop: str, wanted: Mapping[str | None, Row], found: Mapping[str | None, Row]
) -> Iterator[str]:
    for campaign in sorted(wanted.keys() | found.keys(), key=str):
        right, seen = wanted.get(campaign, {}), found.get(campaign, {})
        for name in sorted(right.keys() | seen.keys()):
            if right.get(name, 0) != seen.get(name, 0):
                yield (
                    f"report of {shop}: {name} of {campaign} is {seen.get(name, 0)}, "
                    f"must be {right.get(name, 0)}"
                )


def differing_arms(truth: CampaignTruth, printed: str) -> list[str]:
    """What the report of tests, as lines of JSON, has otherwise than it must."""
    wanted = {
        (shop, *arm): counts
        for shop, sums in truth.shops.items()
        for arm, counts in sums.arms.items()
    }
    found = {_arm_in(row): row for row in map(json.loads, printed.splitlines())}
    wrong = []
    for arm in sorted(wanted.keys() | found.keys(), key=str):
        row, counts = found.get(arm, {}), wanted.get(arm, ArmTruth())
        seen = ArmTruth(row.get("sessions", 0), row.get("buyers", 0))
        if seen != counts:
            wrong.append(f"report of tests: {arm} is {seen}, must be {counts}")
        elif arm[2] is not None and not _has_interval(row, counts, wanted.get((*arm[:2], None))):
            wrong.append(f"report of tests: the interval of {arm} is wrong: {row}")
    return wrong


def _arm_in(row: Mapping[str, Any]) -> Arm:
    return row["shop"], row["test_id"], row["campaign_id"]


def _has_interval(row: Mapping[str, Any], arm: ArmTruth, held_out: ArmTruth | None) -> bool:
    """Whether the interval of the difference from the hold-out is right; none without one."""
    printed = [row["difference_low_percent"], row["difference_high_percent"]]
    if held_out is None:
        return printed == [None, None]
    return all(
        bound is not None and abs(float(bound) - 100 * right) < TOLERANCE_PERCENT
        for bound, right in zip(printed, arm.difference(held_out), strict=True)
    )


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(100 * part) / whole).quantize(Decimal("0.01"))
