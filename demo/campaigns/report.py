"""The report of campaigns, compared with the truth to the cent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from demo.campaigns.performance import ShopTruth
from demo.campaigns.shop import CampaignTruth

Row = dict[str, int | Decimal]
MONEY = ("revenue", "discount")


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
        if name.startswith(MONEY) and value is not None:
            found[name] = Decimal(value)
        elif name in ("orders", "impressions", "clicks", "repurchases"):
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
