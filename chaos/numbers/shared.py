"""Cases of numbers that are on several orders at one time."""

from __future__ import annotations

from chaos.numbers.case import Case, may_see
from schemas.topics import ORDERS_COMMANDS

FIRST, SECOND = "qa", "qb"
"""The shops of all cases."""
OWNERS_MAX = 16
"""Most shipments on one number, by the contract (docs/contract/publishers.md)."""


def one_box(case: Case) -> None:
    """Two orders of one shop in one box: both show it, however often the shop repeats both.

    The hand-over of both is before the delivery, so neither window ends.
    """
    number = case.number()
    orders = [case.order(FIRST), case.order(FIRST)]
    words = case.words(*orders)
    for order in orders:
        order.attach(number)
        order.sync(number)
    scans = [
        case.scan(number, "PICKED_UP_BY_CARRIER", -60, words),
        case.scan(number, "ARRIVAL_AT_TRANSPORT_HUB", -40, words),
        case.scan(number, "OUT_FOR_DELIVERY", -20, words),
    ]
    for order in orders:
        order.sees(*scans)
        order.hears(scans[-1])
    case.end_stage()
    delivered = case.scan(number, "SUCCESSFULLY_DELIVERED", 2, words)
    for order in orders:
        order.sync(number)
        order.sync(number)
        order.sees(delivered)
        order.hears(delivered)
    case.end_stage()
    for order in orders:
        order.sync(number)
    case.end_stage()


def two_shops(case: Case) -> None:
    """A shop mistypes the number of another shop's parcel, before it is under way or after.

    The shops attach it in two stages, and it is certain whose it is taken to be: the time of the
    first physical scan is after that of both attachments, or after the first, or before both.
    """
    case.rng.choice((_mistyped_before, _mistyped_under_way, _both_late))(case)


def _mistyped_before(case: Case) -> None:
    """The right shop attaches last, still before the first scan."""
    number = case.number()
    wrong, right = case.order(SECOND), case.order(FIRST)
    words = case.words(right)
    wrong.attach(number)
    case.end_stage()
    right.attach(number)
    case.end_stage()
    scans = [
        case.scan(number, "PICKED_UP_BY_CARRIER", 5, words),
        case.scan(number, "ARRIVAL_AT_TRANSPORT_HUB", 15, words),
    ]
    right.sees(*scans)
    wrong.sees(*scans, is_shown=False)
    for order in (right, wrong):
        order.hears(scans[-1])
    case.end_stage()
    scan = case.scan(number, "OUT_FOR_DELIVERY", 25, words)
    right.sees(scan)
    right.hears(scan)
    if case.rng.random() < 0.5:
        wrong.void(tracking_number=case.spelled(number), reason="mistyped")
        may_see([wrong], scan, is_shown=False)
    else:
        wrong.sees(scan, is_shown=False)
        wrong.hears(scan)
    case.end_stage()


def _mistyped_under_way(case: Case) -> None:
    """The right shop attaches before the first scan, the other one after it."""
    _late(case, minutes=1)


def _both_late(case: Case) -> None:
    """Both shops attach after the first scan: it is taken to be of the first of them."""
    _late(case, minutes=-30)


def _late(case: Case, minutes: float) -> None:
    number = case.number()
    right, wrong = case.order(FIRST), case.order(SECOND)
    words = case.words(right)
    right.attach(number)
    scans = [
        case.scan(number, "PICKED_UP_BY_CARRIER", minutes, words),
        case.scan(number, "ARRIVAL_AT_TRANSPORT_HUB", minutes + 10, words),
    ]
    right.sees(*scans)
    right.hears(scans[-1])
    case.end_stage()
    wrong.attach(number)
    out = case.scan(number, "OUT_FOR_DELIVERY", minutes + 20, words)
    right.sees(out)
    wrong.sees(*scans, out, is_shown=False)
    for order in (right, wrong):
        order.hears(out)
    case.end_stage()
    if case.rng.random() < 0.5:
        wrong.void(tracking_number=number, reason="mistyped")
        case.end_stage()
    end = case.scan(number, "SUCCESSFULLY_DELIVERED", minutes + 40, words)
    right.sees(end)
    right.hears(end)
    if wrong.shipment.number:
        wrong.sees(end, is_shown=False)
        wrong.hears(end)
        wrong.sync(number)
    case.end_stage()


def crowd(case: Case) -> None:
    """A number on as many orders as it can be on, and one more, which is refused."""
    number = case.number()
    orders = [case.order(FIRST) for _ in range(OWNERS_MAX)]
    last = case.order(FIRST)
    words = case.words(*orders)
    for order in orders:
        order.attach(number)
    scan = case.scan(number, "PICKED_UP_BY_CARRIER", -10, words)
    for order in orders:
        order.sees(scan)
        order.hears(scan)
    case.end_stage()
    case.refuse(ORDERS_COMMANDS, last.upsert(number), "tracking_number_shared")
    out = case.scan(number, "OUT_FOR_DELIVERY", 2, words)
    for order in orders:
        order.sees(out)
        order.hears(out)
    case.end_stage()
