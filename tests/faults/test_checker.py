"""The checker finds what is wrong on topics, and nothing where nothing is."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from chaos.checker.accepted import Accepted, check_accepted
from chaos.checker.answers import judge_diary
from chaos.checker.facts import check_claims, check_repeats
from chaos.checker.findings import Findings
from chaos.checker.ledger import Ledger
from chaos.checker.torn import check_states
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
        ("lost", "duplicated", "reordered", "torn", "leaked"), 0
    ) | {"repeats": 1}

    ledger.take(outcome(3, "b", "rejected"))

    assert ledger.findings.counts["duplicated"] == 1


def state(version: int, city: str, offset: int) -> Entry:
    """A record of `orders.state`."""
    event = changed(version, city, offset=offset, id_=f"state-{version}")
    data = {"last_sequences": {"orders": version, "shipments": 0, "claims": 0}}
    body = event.body | {"order_version": version, "event_data": data}
    return replace(event, topic="orders.state", value=orjson.dumps(body))


@pytest.mark.parametrize(
    ("states", "torn"),
    [
        ([state(3, "C", 1)], 0),
        ([state(2, "B", 1), state(3, "C", 2), state(2, "B", 3), state(3, "C", 4)], 0),
        ([], 2),  # No state: version and sequence.
        ([state(2, "B", 1)], 2),  # The state before: version and sequence.
    ],
    ids=["newest", "repeated", "none", "behind"],
)
def test_checker_compares_the_newest_state_with_the_last_event(
    states: list[Entry], torn: int
) -> None:
    ledger = Ledger(Findings())
    for entry in (*ABC, *states):
        ledger.take(entry)

    check_states(ledger, [ORDER])

    assert ledger.findings.counts["torn"] == torn


CLAIMS, OUTCOMES = "claims.commands", "claims.outcomes"
Answer = tuple[str, str | None]
APPLIED: Answer = ("applied", None)
DUPLICATE: Answer = ("no_change", "duplicate")
REFUSED: Answer = ("rejected", "claim_not_found")


def claimed(*answers: Answer | None, has_event: bool = True) -> dict[str, int]:
    """What the checker counts where one claim command is sent so often, with these outcomes."""
    ledger = Ledger(Findings())
    for offset, answer in enumerate(answers):
        headers = {"ce_id": "k-1", "ce_source": "/shop", "ce_type": "claim.open"}
        ledger.take(Entry(CLAIMS, 0, offset, "shop/1", b"{}", headers))
        if answer:
            body = {"topic": CLAIMS, "partition": 0, "offset": offset, "index": 0}
            body |= {"outcome": answer[0], "reason": answer[1]}
            value = orjson.dumps(body)
            ledger.take(Entry(OUTCOMES, 0, offset, "shop/1", value, {"ce_id": f"o-{offset}"}))
    if has_event:
        ledger.causes["k-1"] = "the claim"
    check_repeats(ledger)
    check_claims(ledger)
    counts = {kind: count for kind, count in ledger.findings.counts.items() if count}
    return counts | ({"open": len(ledger.items)} if ledger.items else {})


@pytest.mark.parametrize(
    "answers",
    [[APPLIED], [APPLIED, DUPLICATE], [DUPLICATE, APPLIED], [REFUSED, APPLIED, DUPLICATE]],
)
def test_checker_takes_one_fact_for_a_claim_command_and_its_repeats(answers: list[Answer]) -> None:
    assert claimed(*answers) == {}


def test_checker_takes_a_refused_claim_command_without_event() -> None:
    assert claimed(REFUSED, REFUSED, has_event=False) == {}


def test_checker_expects_an_outcome_for_each_repeat_of_a_claim_command() -> None:
    assert claimed(APPLIED, None) == {"open": 1}


@pytest.mark.parametrize(
    ("answers", "has_event", "kind"),
    [
        ([APPLIED, APPLIED], True, "duplicated"),
        ([APPLIED, ("no_change", "no_difference")], True, "duplicated"),
        ([APPLIED], False, "lost"),
        ([REFUSED], True, "torn"),
        ([DUPLICATE], True, "torn"),
    ],
)
def test_checker_finds_claim_commands_with_a_wrong_answer(
    answers: list[Answer], has_event: bool, kind: str
) -> None:
    assert claimed(*answers, has_event=has_event) == {kind: 1}


COMMAND = ("orders.commands", 0)


@pytest.mark.parametrize(
    ("accepted", "kind"),
    [
        (Accepted(*COMMAND, 7, "c1", "c1"), None),
        (Accepted(*COMMAND, None, "c1", "c1"), None),
        (Accepted(*COMMAND, 7, "c2", "c2"), "lost"),
        (Accepted(*COMMAND, 8, "c1", "c1"), "lost"),
        (Accepted(*COMMAND, None, "c2", "c2"), "lost"),
        (Accepted("orders.commands", 1, None, "c1", "c1"), "lost"),
        (Accepted("carrier.tracking", 0, 7, "c1", "c1"), "lost"),
        (Accepted(*COMMAND, 7, "c1", "another"), "duplicated"),
        (Accepted(*COMMAND, None, "c1", "another"), "duplicated"),
    ],
)
def test_checker_finds_what_was_accepted_and_is_not_on_its_topic_or_under_another_id(
    accepted: Accepted, kind: str | None
) -> None:
    ledger = Ledger(Findings())
    ledger.take(Entry("orders.commands", 0, 7, "diary/1", b"{}", {"ce_id": "c1"}))

    check_accepted(ledger, [accepted])

    assert [each.kind for each in ledger.findings.all] == ([kind] if kind else [])


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
