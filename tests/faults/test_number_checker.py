"""The checker judges each shipment on a number by itself, and finds each kind of wrong event."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from chaos.checker.findings import Findings
from chaos.checker.ledger import Ledger
from chaos.checker.numbers import judge_case
from chaos.numbers.answers import CaseAnswer, ScanAnswer, ShipmentAnswer
from demo.journal import Entry

AT = datetime(2026, 4, 1, 8, tzinfo=UTC)
SCAN = ScanAnswer("N1", "PICKED_UP_BY_CARRIER", AT, "own.case.w1")
GROUP = "shipment_in_transit"
WORDS = {
    "location": {"city": "own.case.w1 city"},
    "carrier_text": "own.case.w1 text",
    "reason": "own.case.w1",
    "pickup": {"name": "own.case.w1 pickup"},
    "proof": {"signed_by": "own.case.w1 proof"},
}


def right(shop: str = "qa", *, is_shown: bool = True) -> ShipmentAnswer:
    """The answer for an order of a shop that has N1, of which one scan is published."""
    scans = {SCAN.fact: replace(SCAN, is_shown=is_shown)}
    notified = {("N1", GROUP)}
    number = "own.case.1" if shop == "qa" else "own.case.2"
    return ShipmentAnswer(
        shop, number, 1, "N1", "in_transit", fulfilled=1, scans=scans, notified=notified
    )


def event(
    answer: ShipmentAnswer, sequence: int, type_: str, *, words: bool = False, **data: Any
) -> Entry:
    """An event of a shipment; the order's context is as after all events."""
    order, shipment = answer.key
    shown = {"shipment_id": shipment, "phase": answer.phase}
    shown |= {"tracking_number": answer.number} if answer.number else {}
    whole = {"shop_slug": answer.shop, "status": "fulfilled", "expected_number_of_shipments": 1}
    whole |= {"order_number": answer.order_number}
    said = {"shipment_id": shipment, "tracking_number": "N1", "notify": False, "event_group": None}
    said |= {"event_name": type_, "occurred_at": AT.isoformat()}
    body = {
        "event_data": said | (WORDS if words else {}) | data,
        "context": {"order": whole, "shipments": [shown]},
    }
    headers = {
        "ce_id": f"{order}-{sequence}",
        "ce_type": type_,
        "ce_sequence": str(sequence),
        "ce_orderversion": str(sequence),
        "ce_causationid": f"command-{sequence}",
    }
    return Entry("shipments.events", 0, sequence, order, orjson.dumps(body), headers)


def scanned(answer: ShipmentAnswer, sequence: int, *, words: bool = True, **data: Any) -> Entry:
    """The event of SCAN, which notifies."""
    said = {"event_name": SCAN.name, "notify": True, "event_group": GROUP} | data
    return event(answer, sequence, "shipment.scanned", words=words, **said)


def attached(answer: ShipmentAnswer, sequence: int = 1) -> Entry:
    return event(answer, sequence, "shipment.fulfilled")


def released(answer: ShipmentAnswer, sequence: int, by: str = "void") -> Entry:
    return event(answer, sequence, "shipment.released", released_by=by)


def found(entries: list[Entry], *answers: ShipmentAnswer, **members: Any) -> list[str]:
    """The kinds of what the checker finds in these events."""
    ledger = Ledger(Findings())
    for entry in entries:
        ledger.take(entry)
    named = {"own.case.w1": {str(each.order) for each in answers if each.shop == "qa"}}
    judge_case(ledger, CaseAnswer(list(answers), named_in=named, **members), is_over=False)
    return [finding.kind for finding in ledger.findings.all]


QA, QB = right(), right("qb", is_shown=False)


def test_checker_takes_one_event_of_a_scan_for_each_shipment_on_a_number() -> None:
    events = [attached(QA), scanned(QA, 2), attached(QB), scanned(QB, 2, words=False)]

    assert found(events, QA, QB) == []


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        ([attached(QA)], ["lost", "lost"]),  # Neither scan nor notice.
        ([attached(QA), scanned(QA, 2, notify=False)], ["lost"]),
        ([attached(QA), scanned(QA, 2, words=False)], ["lost"]),  # Its own place is not shown.
        ([attached(QA), scanned(QA, 2), scanned(QA, 3, scan_id="b")], ["duplicated"] * 2),
        ([attached(QA), scanned(QA, 2), scanned(QA, 3, event_name="LOST")], ["duplicated"] * 2),
        ([attached(QA), scanned(QA, 2), released(QA, 3)], ["duplicated"]),
        ([attached(QA), scanned(QA, 2), attached(QA, 3)], ["duplicated"]),
        ([attached(QA), scanned(QA, 2), event(QA, 3, "shipment.updated")], ["duplicated"]),
    ],
)
def test_checker_finds_wrong_events_of_a_shipment(events: list[Entry], kinds: list[str]) -> None:
    assert found(events, QA) == kinds


def test_checker_finds_a_scan_that_reached_one_of_two_shipments_alone() -> None:
    events = [attached(QA), scanned(QA, 2), attached(QB)]

    assert set(found(events, QA, QB)) == {"lost"}


def test_checker_finds_places_that_are_another_shops() -> None:
    events = [attached(QA), scanned(QA, 2), attached(QB), scanned(QB, 2)]

    assert set(found(events, QA, QB)) == {"leaked"}


def test_checker_counts_what_leaked() -> None:
    findings = Findings()
    findings.add("leaked", "the order", "shows a place")

    assert findings.counts["leaked"] == 1


def test_checker_finds_another_shops_order_in_an_outcome() -> None:
    body = {"topic": "orders.commands", "partition": 0, "offset": 1, "index": 0}
    body |= {"outcome": "rejected", "reason": "x", "detail": "own.case.w1 has it"}
    outcome = Entry("orders.outcomes", 0, 1, "qb/2", orjson.dumps(body), {"ce_id": "o"})

    assert found([attached(QA), scanned(QA, 2), outcome], QA) == ["leaked"]


def test_checker_finds_another_shops_command_in_the_headers_of_an_event() -> None:
    events = [attached(QA), scanned(QA, 2), attached(QB), scanned(QB, 2, words=False)]
    events[3] = replace(events[3], headers=events[3].headers | {"ce_causationid": "own.case.w1#2"})

    assert found(events, QA, QB) == ["leaked"]


def test_checker_takes_scans_of_a_number_that_comes_back_for_new_facts() -> None:
    twice = {SCAN.fact: replace(SCAN, least=2, most=2)}
    answer = replace(right(), scans=twice, fulfilled=2, released=[("N1", "void")])
    events = [attached(answer), scanned(answer, 2), released(answer, 3), attached(answer, 4)]

    again = scanned(answer, 5, notify=False)

    assert found([*events, again], answer) == []
    assert found(events, answer) == ["lost"]


def test_checker_takes_either_order_of_a_race() -> None:
    either = {SCAN.fact: replace(SCAN, least=0, is_shown=None)}
    answer = replace(right(), scans=either, notified=set())

    for events in ([attached(answer)], [attached(answer), scanned(answer, 2)]):
        assert found(events, answer) == []


@pytest.mark.parametrize(("reason", "kinds"), [("stale", []), ("no_difference", ["duplicated"])])
def test_checker_expects_commands_to_change_nothing_for_their_reason(
    reason: str, kinds: list[str]
) -> None:
    body = {"topic": "orders.commands", "partition": 0, "offset": 1, "index": 0}
    body |= {"command_id": "c", "outcome": "no_change", "reason": reason}
    outcome = Entry("orders.outcomes", 0, 1, "qa/1", orjson.dumps(body), {"ce_id": "o"})
    events = [attached(QA), scanned(QA, 2), outcome]

    assert found(events, QA, unchanged={"c": "stale"}) == kinds
