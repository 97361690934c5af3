"""One look at everything, when all is quiet: each item must have exactly one ending."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chaos.checker import torn
from chaos.checker.facts import check_claims, check_repeats
from chaos.checker.findings import DUPLICATED, LOST, TORN
from chaos.checker.ledger import INCOMING, Ledger, Place
from chaos.checker.tables import Kept, Tables
from demo.facts import facts_in
from schemas.topics import CARRIER_TRACKING


async def check(ledger: Ledger, tables: Tables, *, everything: bool = False) -> None:
    """Note what is wrong in what changed since the last look, or in `everything`."""
    waiting, parked = await tables.waiting(), await tables.parked()
    rejected = await tables.rejected()
    _endings(ledger, waiting, parked)
    check_repeats(ledger)
    check_claims(ledger)
    _scans(ledger, waiting, parked, rejected)
    _versions(ledger, ledger.orders if everything else ledger.touched)
    _rejections(ledger, rejected)
    await torn.compare(ledger, tables, None if everything else sorted(ledger.touched))


def _endings(ledger: Ledger, waiting: list[Kept], parked: list[Kept]) -> None:
    """A command item has an outcome (applied, no change, rejected), or it waits, or is parked."""
    kept = Counter(each.place for each in (*waiting, *parked))
    whole = {each.place[:3] for each in parked if each.place[3] < 0}
    for place, count in kept.items():
        if count > 1:
            ledger.findings.add(DUPLICATED, place, "lies twice among what waits or is parked")
        if place in ledger.outcomes:
            outcome = ledger.outcomes[place][0]
            ledger.findings.add(DUPLICATED, place, f"waits or is parked, and ended as {outcome}")
    for place, id_ in ledger.items.items():
        if place not in kept and place[:3] not in whole:
            ledger.findings.add(LOST, place, f"item {id_} has no ending")


def _scans(
    ledger: Ledger, waiting: list[Kept], parked: list[Kept], rejected: dict[Place, str]
) -> None:
    """A scan of a number that an order has or had has its event, or its message lies somewhere.

    A scan that is of no parcel of its number waits, like one whose number no order has.
    """
    kept = {
        fact
        for each in (*waiting, *parked)
        if each.place[0] == CARRIER_TRACKING
        for fact in facts_in(each.value)
    }
    for fact, place in ledger.scans.items():
        number, name, at = fact
        if number in ledger.owned and fact not in kept and place not in rejected:
            text = f"scan {name} of {number} at {at.isoformat()} has no event"
            ledger.findings.add(LOST, place, text)


def _versions(ledger: Ledger, orders: Iterable[str]) -> None:
    """`order_version` counts an order's events over both topics, one step each."""
    for order in orders:
        record = ledger.orders[order]
        missing = set(range(1, record.version + 1)) - set(record.versions)
        if missing:
            ledger.findings.add(LOST, order, f"has no event of version {sorted(missing)}")


def _rejections(ledger: Ledger, rejected: dict[Place, str]) -> None:
    """A refusal stands in the table and on the topic, or in neither; so does its outcome."""
    for place in rejected.keys() - ledger.refused.keys():
        ledger.findings.add(TORN, place, f"is rejected ({rejected[place]}) and has no outcome")
    for place in ledger.refused.keys() - rejected.keys():
        ledger.findings.add(TORN, place, "has the outcome rejected and is not in the table")
    for place, (outcome, _) in ledger.outcomes.items():
        if place[0] in INCOMING and (outcome == "rejected") is not (place in ledger.refused):
            ledger.findings.add(TORN, place, f"its outcome is {outcome}, the topic says otherwise")
