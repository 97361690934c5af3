"""Cases of numbers that a carrier uses again after a parcel ended."""

from __future__ import annotations

from chaos.numbers.case import Case, may_see
from chaos.numbers.shared import FIRST, SECOND

DAY = 24 * 60
ENDS = ("SUCCESSFULLY_DELIVERED", "LOST", "TRACKING_EXPIRED", "RETURNED_TO_SENDER", None)
"""How the first parcel ends; None: nothing more is reported of it, for months."""
RACING = 0.4


def reused(case: Case) -> None:
    """A number is used again, by the same shop or another one, after the first parcel ended.

    The end is published in an earlier stage than the second attachment, so the second parcel has no
    scans of the first. Scans of the first one that come late lie before its end, so they are its
    own whichever comes first. In the racing form, scans of the second parcel come in the stage of
    its attachment: before it the first order may have their events, as nothing says yet that they
    are another parcel's. The state of the first order is the same in the end.

    Another shop sees no places of scans from before it attached the number (docs/decisions/0156).
    """
    end = case.rng.choice(ENDS)
    days = 20 if end else 100
    number = case.number()
    first, second = case.order(FIRST, placed_at=case.at(-days * DAY)), case.order(_other(case))
    words, new = case.words(first), case.words(second)
    handed_over = case.at(-days * DAY).isoformat()
    first.attach(number, tracking_placed_at=handed_over).notices_max = 0
    begun = case.scan(number, "PICKED_UP_BY_CARRIER", (1 - days) * DAY, words)
    first.sees(begun)
    if end:
        first.sees(case.scan(number, end, (3 - days) * DAY, words))
    case.end_stage()
    is_racing = case.rng.random() < RACING
    minutes = case.rng.choice((-90, None))
    hand_over = None if minutes is None else case.at(minutes).isoformat()
    second.attach(number, tracking_placed_at=hand_over)
    first.sees(case.scan(number, "SORTED", (1.5 - days) * DAY, words))
    if not is_racing:
        case.end_stage()
    begins = case.rng.choice((-30, 5))
    is_shown = begins > 0 or second.shop == first.shop
    early = new if is_shown else case.words()
    scans = [
        case.scan(number, "LABEL_CREATED", begins, early),
        case.scan(number, "PICKED_UP_BY_CARRIER", begins + 10, early),
        case.scan(number, "ARRIVAL_AT_TRANSPORT_HUB", begins + 20, early),
    ]
    second.sees(*scans, is_shown=is_shown)
    second.hears(scans[-1])
    if is_racing:
        first.shipment.notices_max, first.shipment.may_be_updated = 1, True
        case.answer.named_in[early].add(str(first.shipment.order))
        for scan in scans:
            may_see([first], scan, is_shown=None)
    case.end_stage()
    out = case.scan(number, "OUT_FOR_DELIVERY", 30, new)
    second.sees(out)
    second.hears(out)
    for order in (first, second):
        order.sync(number)
    case.end_stage()


def _other(case: Case) -> str:
    return case.rng.choice((FIRST, SECOND))
