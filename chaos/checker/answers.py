"""The right answers of the generator against what was published."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.checker.findings import DUPLICATED, LOST, REORDERED
from chaos.checker.ledger import Ledger
from demo.audit import Audit
from demo.comparison import differences
from demo.facts import plain_number
from demo.script import Script
from schemas.identity import order_id


def judge_script(ledger: Ledger, script: Script, shop: str, *, is_over: bool) -> None:
    """Everything of a script must be as its generator knows, once all of it was published.

    What is refused only when its waiting time is over is judged when `is_over`.
    """
    patient = {_id(message.headers) for message in script.messages if message.is_for_unknown}
    for text in differences(script.expectation, _seen(ledger, script)):
        if is_over or not any(id_ in text for id_ in patient if id_):
            ledger.findings.add(LOST, shop, f"the right answer: {text}")


def judge_diary(
    ledger: Ledger, shop: str, number: str, cities: Sequence[str], behind: Sequence[str] = ()
) -> None:
    """An order must have gone to these cities, in turn, and to no other.

    The turn of those `behind` something that is parked has not come.
    """
    order = str(order_id(shop, number))
    by_version = ledger.orders[order].cities if order in ledger.orders else {}
    cities_published = _without_echoes([by_version[version] for version in sorted(by_version)])
    if cities_published == list(cities):
        return
    subject = f"{shop}/{number} ({order})"
    for city in cities:
        if city not in cities_published:
            ledger.findings.add(LOST, subject, f"the change to {city} has no event")
    for city in dict.fromkeys(cities_published):
        if city in behind:
            ledger.findings.add(REORDERED, subject, f"went to {city} before its turn")
        elif city not in cities:
            ledger.findings.add(DUPLICATED, subject, f"went to {city} and should not have")
        elif cities_published.count(city) > 1:
            ledger.findings.add(
                DUPLICATED, subject, f"went to {city} {cities_published.count(city)} times"
            )
    once = [city for city in dict.fromkeys(cities_published) if city in cities]
    if once != [city for city in cities if city in cities_published]:
        ledger.findings.add(REORDERED, subject, f"went to {once}")


def _without_echoes(cities: Sequence[str | None]) -> list[str]:
    """One decision may make several events, which show the same city."""
    return [city or "" for at, city in enumerate(cities) if at == 0 or cities[at - 1] != city]


def _seen(ledger: Ledger, script: Script) -> Audit:
    """Records of a script's shops, in the form that is compared with the right answer."""
    audit = Audit()
    ids = {_id(message.headers) for message in script.messages}
    shops = {answer.shop for answer in script.expectation.orders.values()}
    for order_record in ledger.orders.values():
        order = order_record.context.get("order") or {}
        if order.get("shop_slug") in shops:
            audit.orders[order_record.key] = dict(order)
            for shipment in order_record.context["shipments"]:
                if shipment.get("tracking_number"):
                    number = plain_number(shipment["tracking_number"])
                    audit.shipments[order_record.key, number] = dict(shipment)
    uuids = {order["uuid"] for order in audit.orders.values()}
    audit.claim_states = {
        claim: dict(state)
        for claim, (_, state) in ledger.claims.items()
        if state["order_id"] in uuids
    }
    for (topic, label), reasons in ledger.refusals.items():
        if label.rpartition("#")[0] in ids:
            audit.refusals.update((topic, label, reason) for reason in reasons)
    return audit


def _id(headers: Sequence[tuple[str, bytes]]) -> str:
    return dict(headers).get("ce_id", b"").decode()
