"""The right answers for numbers that are shared, used again, voided or replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.checker.findings import DUPLICATED, LEAKED, LOST
from chaos.checker.ledger import INCOMING, Ledger
from chaos.checker.shipment_events import RELEASED, ShipmentEvent
from chaos.numbers.answers import CaseAnswer, ScanAnswer, ShipmentAnswer
from demo.facts import plain_number
from schemas.outcomes import NO_CHANGE

FULFILLED, UPDATED = "shipment.fulfilled", "shipment.updated"


def judge_case(ledger: Ledger, answer: CaseAnswer, *, is_over: bool) -> None:
    """Every shipment of a case must be as its generator knows.

    What is refused only when its waiting time is over must be refused when `is_over`.
    """
    for shipment in answer.shipments:
        _judge_shipment(ledger, shipment)
    _judge_orders(ledger, answer)
    _judge_outcomes(ledger, answer, is_over=is_over)
    for text, keys in answer.named_in.items():
        for key in sorted(ledger.shipments.containing.get(text, set()) - keys):
            ledger.findings.add(LEAKED, key, f"has a record with {text}, which is another shop's")


def _judge_shipment(ledger: Ledger, answer: ShipmentAnswer) -> None:
    subject = f"{answer.shop}/{answer.order_number} shipment {answer.ordinal} ({answer.key[1]})"
    events = ledger.shipments.by_shipment.get(answer.key, [])
    for kind, text in (
        *_scans(answer, events),
        *_words(answer, events),
        *_numbers(answer, events),
        *_notices(answer, events),
        *_state(answer, _last_shown(ledger, answer)),
    ):
        ledger.findings.add(kind, subject, text)


def _scans(answer: ShipmentAnswer, events: list[ShipmentEvent]) -> Iterator[tuple[str, str]]:
    found = Counter(event.fact for event in events if event.fact is not None)
    for fact, scan in answer.scans.items():
        text = f"scan {scan.name} of {scan.number} at {scan.occurred_at.isoformat()}"
        if found[fact] < scan.least:
            yield LOST, f"{text} has {found[fact]} events of {scan.least} on the shipment"
        elif found[fact] > scan.most:
            yield DUPLICATED, f"{text} has {found[fact]} events, at most {scan.most} are right"
    for number, name, at in sorted(found.keys() - answer.scans.keys()):
        text = f"has an event of scan {name} of {number} at {at.isoformat()}"
        yield DUPLICATED, f"{text}, which is not the shipment's"


def _words(answer: ShipmentAnswer, events: list[ShipmentEvent]) -> Iterator[tuple[str, str]]:
    """Place, text, pick-up point and proof are in the events of one shop, and in no others."""
    for event in events:
        scan = answer.scans.get(event.fact) if event.fact is not None else None
        if scan is None or scan.is_shown is None:
            continue
        if scan.is_shown and not all(each and scan.words in each for each in event.words):
            yield LOST, f"{_named(scan)} does not say where and in what words: {event.words}"
        elif not scan.is_shown and any(event.words):
            yield LEAKED, f"{_named(scan)} shows {event.words} to another shop"


def _numbers(answer: ShipmentAnswer, events: list[ShipmentEvent]) -> Iterator[tuple[str, str]]:
    """Each attachment and each loss of a number has one event."""
    released = Counter(
        (event.number, event.released_by or "") for event in events if event.type == RELEASED
    )
    counts = Counter(event.type for event in events)
    wanted = Counter(answer.released)
    for each in sorted((wanted - released).keys()):
        yield LOST, f"has no event that it lost {each}"
    for each in sorted((released - wanted).keys()):
        yield DUPLICATED, f"has an event that it lost {each}, which it did not"
    if counts[FULFILLED] != answer.fulfilled:
        kind = LOST if counts[FULFILLED] < answer.fulfilled else DUPLICATED
        yield kind, f"has {counts[FULFILLED]} events of a number, should have {answer.fulfilled}"
    if counts[UPDATED] and not answer.may_be_updated:
        yield DUPLICATED, f"has {counts[UPDATED]} events {UPDATED} without a cause"


def _notices(answer: ShipmentAnswer, events: list[ShipmentEvent]) -> Iterator[tuple[str, str]]:
    """The customer is notified once of each step of a number."""
    found = Counter((event.number, event.group) for event in events if event.group is not None)
    for number, group in sorted(answer.notified):
        if not found[number, group]:
            yield LOST, f"the customer was not notified of {group} of {number}"
    for (number, group), count in found.items():
        most = 1 if (number, group) in answer.notified else answer.notices_max
        if count > most:
            text = f"the customer was notified {count} times of {group} of {number}"
            yield DUPLICATED, f"{text}, at most {most} is right"


def _state(answer: ShipmentAnswer, shown: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if shown is None:
        yield LOST, "is not on its order"
        return
    number = shown.get("tracking_number")
    pairs = {
        "number": (answer.number, plain_number(number) if number else None),
        "phase": (answer.phase, shown["phase"]),
        "is delivered": (answer.is_delivered, shown.get("delivered_at") is not None),
    }
    for name, (wanted, found) in pairs.items():
        if wanted != found:
            yield LOST, f"the right answer: {name} is {found}, should be {wanted}"


def _last_shown(ledger: Ledger, answer: ShipmentAnswer) -> Mapping[str, Any] | None:
    """The shipment as the last event of its order shows it."""
    order, shipment = answer.key
    shown = ledger.orders[order].context.get("shipments", ()) if order in ledger.orders else ()
    return next((each for each in shown if each["shipment_id"] == shipment), None)


def _named(scan: ScanAnswer) -> str:
    return f"the event of scan {scan.name} of {scan.number}"


def _judge_orders(ledger: Ledger, answer: CaseAnswer) -> None:
    shipments: dict[str, list[ShipmentAnswer]] = {}
    for shipment in answer.shipments:
        shipments.setdefault(shipment.key[0], []).append(shipment)
    for order, known in shipments.items():
        sent = sum(each.number is not None for each in known)
        wanted = "placed" if not sent else "partially_fulfilled"
        wanted = "fulfilled" if sent == len(known) else wanted
        shown = ledger.orders[order].context.get("order") or {} if order in ledger.orders else {}
        pairs = {
            "status": (wanted, shown.get("status")),
            "shipments": (len(known), shown.get("expected_number_of_shipments")),
        }
        for name, (right, found) in pairs.items():
            if right != found:
                text = f"the right answer: {name} is {found}, should be {right}"
                ledger.findings.add(LOST, f"{known[0].shop}/{known[0].order_number}", text)


def _judge_outcomes(ledger: Ledger, answer: CaseAnswer, *, is_over: bool) -> None:
    labels = [(topic, f"{id_}#0") for id_ in answer.sent for topic in INCOMING]
    found = {each: ledger.refusals[each] for each in labels if each in ledger.refusals}
    expected = answer.refused | answer.refused_at_last
    for item, reasons in found.items():
        if reasons != {expected.get(item)}:
            text = f"was refused ({', '.join(sorted(reasons))}), should be {expected.get(item)}"
            ledger.findings.add(DUPLICATED, item, text)
    for item, reason in (expected if is_over else answer.refused).items():
        if item not in found:
            ledger.findings.add(LOST, item, f"was not refused ({reason})")
    for id_, reason in answer.unchanged.items():
        ends = ledger.ends.get(id_, set()) - {(NO_CHANGE, "duplicate")}
        if ends != {(NO_CHANGE, reason)}:
            ledger.findings.add(DUPLICATED, id_, f"ended as {ends}, should be {reason}")
