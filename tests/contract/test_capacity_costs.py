"""The costs of `orderflow capacity` are those of the page about performance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orderflow.capacity.costs import raw

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "performance.md").read_text("utf-8")
COSTS = raw()


def cells(section: str, first: str) -> list[str]:
    """Cells of the row of a section that begins with a cell."""
    text = PAGE.split(f"\n## {section}\n")[1].partition("\n## ")[0]
    row = re.search(rf"^\| {re.escape(first)} \|(.*)\|$", text, re.MULTILINE)
    assert row, f"docs/performance.md, {section}: no row {first}"
    return [cell.strip() for cell in row[1].split("|")]


@pytest.mark.parametrize(
    ("kind", "section", "row", "at"),
    [
        ("upsert", "The headline", "ours", 6),
        ("update", "Other mixes, sizes", "updates", 3),
        ("fulfilment", "Other mixes, sizes", "fulfilments", 3),
        ("scan", "Other mixes, sizes", "scans new", 3),
    ],
)
def test_capacity_costs_of_a_message_are_those_of_the_page(kind, section, row, at) -> None:
    us = COSTS["benchmark"]["us"][kind]

    assert cells(section, row)[at : at + 3] == [
        str(us["process"]), str(us["kafka"]), str(us["postgres"])
    ]  # fmt: skip


@pytest.mark.parametrize("count", ["1", "2"])
def test_capacity_rates_are_those_of_the_page(count) -> None:
    lap = COSTS["benchmark"]["replicas"][count]
    found = cells("Replicas", count)

    assert found[0] == f"{lap['per_second']:,}"
    assert found[3:6] == [str(lap["us"][each]) for each in ("process", "kafka", "postgres")]


def test_capacity_memory_is_that_of_the_page() -> None:
    goal = cells("The goals", "resident memory of a consumer process")

    assert goal[1].startswith(f"{COSTS['benchmark']['resident_mb']} MB")


def test_capacity_costs_of_the_gateway_are_those_of_the_page() -> None:
    us = COSTS["gateway"]["us"]

    assert float(cells("The gateway", "gateway, one command a request")[-1]) * 1000 == us["request"]
    assert f"({us['command_of_a_batch'] / 1000:g} a command)" in cells(
        "The gateway", "gateway, batches of 50 commands"
    )[-1]  # fmt: skip


def test_capacity_costs_of_deliveries_are_those_of_the_page() -> None:
    us = COSTS["deliveries"]["us"]

    assert float(cells("Deliveries", "100")[3]) * 1000 == us["process"]
    assert f"0.03 to {us['postgres'] / 1000:g} s for 1,000 deliveries" in PAGE


def test_capacity_costs_say_what_measured_them_and_when() -> None:
    assert [
        part for part, found in COSTS.items() if not (found.get("source") and found.get("date"))
    ] == []
