"""Cases of numbers that are wrong: voided, replaced, and placeholders for a number."""

from __future__ import annotations

from chaos.numbers.answers import ShipmentAnswer
from chaos.numbers.case import Case, CaseOrder, may_see
from chaos.numbers.shared import FIRST, SECOND
from schemas.topics import CARRIER_TRACKING, ORDERS_COMMANDS

EARLIER, LATER = "2026-03-01T08:00:00Z", "2026-03-01T09:00:00Z"
"""Ages of commands."""
PLACEHOLDERS = ("none", "n/a", "pending", "000", "https://carrier.example/t/1")


def voided(case: Case) -> None:
    """A number is voided by number, shipment id or `external_shipment_id`, and comes back or not.

    A scan comes in the stage of the void: it has its event if it is decided first, else it waits
    for the number. Attached again, all scans of the number are new facts of the shipment.
    """
    number, external = case.number(), f"ful-{case.name}"
    order = case.order(FIRST)
    words = case.words(order)
    order.attach(number, external_shipment_id=external, at=EARLIER)
    begun = case.scan(number, "PICKED_UP_BY_CARRIER", -30, words)
    order.sees(begun)
    order.hears(begun)
    case.end_stage()
    name = _name(case, order, number, external)
    order.void(**name, updated_at=LATER, reason="label misprinted")
    racing = case.scan(number, "ARRIVAL_AT_TRANSPORT_HUB", 3, case.words(order))
    may_see([order], racing, is_shown=True)
    case.end_stage()
    kind = case.rng.choice(("gone", "again", "moved"))
    if kind == "gone":
        _void_again(case, order, number, name)
    elif kind == "again":
        _attach_again(order, number)
    else:
        order, words = _move(case, order, number)
    out = case.scan(number, "OUT_FOR_DELIVERY", 30, words)
    if kind != "gone":
        order.sees(out)
        order.hears(out)
    case.end_stage()
    if kind != "gone":
        order.sync(number)
        case.end_stage()


def _name(case: Case, order: CaseOrder, number: str, external: str) -> dict[str, str]:
    """One way to name the shipment."""
    return case.rng.choice(
        (
            {"tracking_number": case.spelled(number)},
            {"shipment_id": order.shipment.key[1]},
            {"external_shipment_id": external},
        )
    )


def _void_again(case: Case, order: CaseOrder, number: str, name: dict[str, str]) -> None:
    """Void it twice, and name it by an older command: neither changes anything."""
    second = order.send("shipment.void", name)
    case.answer.unchanged[second] = "already_voided"
    old = order.upsert(case.spelled(number), at=EARLIER)
    case.answer.unchanged[old] = "stale"


def _attach_again(order: CaseOrder, number: str) -> None:
    order.attach(number)
    order.sees_again(number)


def _move(case: Case, order: CaseOrder, number: str) -> tuple[CaseOrder, str]:
    """The number was that of another order, of the same shop or another one.

    Places that a shop saw stay its own, so another shop does not see that of the first scan. That
    of the second is the first shop's only if it was decided before the void. Returns the order, and
    the words of the scans that follow.
    """
    other = case.order(case.rng.choice((FIRST, SECOND)))
    other.attach(number)
    begun, racing = order.shipment.scans.values()
    is_shown = other.shop == order.shop
    other.sees(begun, is_shown=is_shown)
    other.sees(racing, least=1, is_shown=is_shown or None)
    for scan in (begun, racing) if is_shown else (racing,):
        case.answer.named_in[scan.words].add(str(other.shipment.order))
    return other, case.words(other)


def voided_after_delivery(case: Case) -> None:
    """A delivered parcel is taken off only by force, with a reason."""
    number = case.number()
    order, stranger = case.order(FIRST), case.order(SECOND)
    words = case.words(order)
    order.attach(number)
    scans = [
        case.scan(number, "PICKED_UP_BY_CARRIER", -60, words),
        case.scan(number, "SUCCESSFULLY_DELIVERED", -10, words),
    ]
    order.sees(*scans)
    order.hears(scans[-1])
    case.end_stage()
    refused = order.send("shipment.void", {"tracking_number": number})
    case.once.add(refused)
    case.refuse(ORDERS_COMMANDS, refused, "shipment_delivered")
    waiting = stranger.send("shipment.void", {"tracking_number": number})
    case.answer.refused_at_last[ORDERS_COMMANDS, f"{waiting}#0"] = "shipment_not_found"
    case.end_stage()
    order.void(tracking_number=number, force=True, reason="another shop's parcel")
    case.end_stage()


def replaced(case: Case) -> None:
    """A mistyped number is replaced under its `external_shipment_id`.

    It is the number of another shop's parcel, which is under way, or of no parcel. Scans of the
    right number come before the replacement or with it, and belong to the order either way.
    """
    wrong, number, external = case.number(), case.number(), f"ful-{case.name}"
    order, owner = case.order(FIRST), case.order(SECOND)
    is_used = case.rng.random() < 0.5
    words, others = case.words(order), case.words(owner if is_used else order)
    begun = case.scan(wrong, "PICKED_UP_BY_CARRIER", 1, others)
    if is_used:
        owner.attach(wrong)
        owner.sees(begun)
        owner.hears(begun)
    case.end_stage()
    order.attach(wrong, external_shipment_id=external)
    order.sees(begun, is_shown=not is_used)
    order.hears(begun)
    early = case.scan(number, "PICKED_UP_BY_CARRIER", -15, words)
    case.end_stage()
    order.replace(number, external)
    scan = case.scan(number, "ARRIVAL_AT_TRANSPORT_HUB", -5, words)
    order.sees(early, scan)
    order.hears(scan)
    if is_used:
        moved = case.scan(wrong, "ARRIVAL_AT_TRANSPORT_HUB", 11, others)
        owner.sees(moved)
        may_see([order], moved, is_shown=False)
    case.end_stage()
    out = case.scan(number, "OUT_FOR_DELIVERY", 30, words)
    order.sees(out)
    order.hears(out)
    if is_used:
        out = case.scan(wrong, "OUT_FOR_DELIVERY", 31, others)
        owner.sees(out)
        owner.hears(out)
    case.end_stage()


def placeholder(case: Case) -> None:
    """A placeholder is refused, in a command and in a report; then the number comes, or two."""
    order = case.order(FIRST)
    text = case.rng.choice(PLACEHOLDERS)
    case.refuse(ORDERS_COMMANDS, order.upsert(text), "tracking_number_placeholder")
    scan = {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": case.now.isoformat()}
    case.refuse(CARRIER_TRACKING, case.report(text, scan), "tracking_number_placeholder")
    case.end_stage()
    case.rng.choice((_one_number, _joined_numbers, _placeholder_of_id))(case, order)


def _one_number(case: Case, order: CaseOrder) -> None:
    number = case.number()
    order.attach(number)
    _scan_both(case, [(order, order.shipment, number)])


def _joined_numbers(case: Case, order: CaseOrder) -> None:
    """Two numbers in one field are two parcels."""
    first, second = case.number(), case.number()
    order.attach_joined(first, second)
    one, other = order.shipments
    _scan_both(case, [(order, one, first), (order, other, second)])


def _placeholder_of_id(case: Case, order: CaseOrder) -> None:
    """`none` as `external_shipment_id` is left out, so the second number replaces nothing."""
    first, second = case.number(), case.number()
    order.attach(first, external_shipment_id="none")
    other = order.attach(second, order.add_shipment(), external_shipment_id="none")
    _scan_both(case, [(order, order.shipment, first), (order, other, second)])


def _scan_both(case: Case, parcels: list[tuple[CaseOrder, ShipmentAnswer, str]]) -> None:
    for order, shipment, number in parcels:
        words = case.words(order)
        scan = case.scan(number, "PICKED_UP_BY_CARRIER", -10, words)
        order.sees(scan, shipment=shipment)
        order.hears(scan, shipment=shipment)
    case.end_stage()
