"""The checker finds what is wrong on topics, and nothing where nothing is."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from chaos.checker.answers import judge_diary
from chaos.checker.findings import Findings
from chaos.checker.ledger import Ledger
from demo.journal import Entry
from schemas.identity import order_id

SHOP, NUMBER = "diary", "1"
ORDER = str(order_id(SHOP, NUMBER))


def changed(
    sequence: int, city: str, *, offset: int | None = None, id_: str = "", version: int = 0
) -> Entry:
    """An event that says where the order goes now."""
    order = {"shop_slug": SHOP, "order_number": NUMBER, "address": {"city": city}}
    body = {"event_data": {}, "context": {"order": order, "shipments": []}}
    headers = {
        "ce_id": id_ or f"event-{sequence}",
        "ce_type": "order.updated",
        "ce_sequence": str(sequence),
        "ce_orderversion": str(version or sequence),
        "ce_causationid": id_ or f"command-{sequence}",
    }
    at = sequence if offset is None else offset
    return Entry("orders.events", 0, at, ORDER, orjson.dumps(body), headers)


def found(*entries: Entry, cities: str = "ABC") -> dict[str, int]:
    """What the checker counts in these events; A, B and C is right."""
    ledger = Ledger(Findings())
    for entry in entries:
        ledger.take(entry)
    judge_diary(ledger, SHOP, NUMBER, list(cities))
    return {kind: count for kind, count in ledger.findings.counts.items() if count}


ABC = (changed(1, "A"), changed(2, "B"), changed(3, "C"))


def test_checker_finds_nothing_in_correct_records() -> None:
    assert found(*ABC) == {}


def test_checker_counts_the_same_event_again_as_a_repeat() -> None:
    assert found(*ABC, changed(2, "B", offset=4)) == {"repeats": 1}


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        ([changed(1, "A"), changed(2, "C")], "lost"),  # A change without an event.
        ([changed(1, "A"), changed(3, "C")], "lost"),  # A gap in the sequence.
        ([changed(1, "A"), changed(3, "C"), changed(2, "B")], "reordered"),
        ([changed(1, "A"), changed(2, "C"), changed(3, "B")], "reordered"),  # By their content.
        ([*ABC, changed(4, "A")], "duplicated"),  # An effect applied twice.
        ([*ABC, changed(3, "C", id_="other", offset=4)], "duplicated"),  # A fact under two ids.
        ([*ABC, changed(4, "C", id_="event-1")], "duplicated"),  # An id under two facts.
        ([changed(1, "A"), changed(2, "B", version=3), changed(3, "C", version=2)], "reordered"),
    ],
)
def test_checker_finds_wrong_records(entries: list[Entry], kind: str) -> None:
    assert found(*entries)[kind] > 0


def test_checker_expects_no_change_behind_a_parked_one() -> None:
    ledger = Ledger(Findings())
    for entry in ABC:
        ledger.take(entry)

    judge_diary(ledger, SHOP, NUMBER, ["A", "B"], behind=["C"])

    assert [finding.kind for finding in ledger.findings.all] == ["reordered"]


def outcome(offset: int, id_: str, became: str = "applied") -> Entry:
    body = {"topic": "orders.commands", "partition": 0, "offset": 5, "index": 0, "outcome": became}
    return Entry("orders.outcomes", 0, offset, "k", orjson.dumps(body), {"ce_id": id_})


def test_checker_finds_two_outcomes_and_counts_a_repeated_outcome() -> None:
    ledger = Ledger(Findings())
    for entry in (outcome(1, "a"), outcome(2, "a")):
        ledger.take(entry)
    assert ledger.findings.counts == dict.fromkeys(
        ("lost", "duplicated", "reordered", "torn"), 0
    ) | {"repeats": 1}

    ledger.take(outcome(3, "b", "rejected"))

    assert ledger.findings.counts["duplicated"] == 1


def test_checker_imports_nothing_of_the_services(project_folder: Path) -> None:
    modules = [
        f"chaos.checker.{path.stem}"
        for path in (project_folder / "chaos/checker").glob("*.py")
        if path.stem != "__init__"
    ]
    assert len(modules) > 5
    program = (
        f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
        "ours = {name for name in sys.modules if name.split('.')[0] in "
        "('services', 'orderflow', 'deploy')}\nassert not ours, ours"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project_folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
