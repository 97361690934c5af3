"""What topics say of choices, credits and refusals, compared with the truth.

Read from outside, by the public contract alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from demo.audit import Audit, Journal
from demo.campaigns.choice import Choice
from demo.campaigns.credit import Credit
from demo.campaigns.performance import Money, OrderTruth
from demo.campaigns.shop import CampaignTruth
from demo.facts import instant
from demo.journal import Entry
from schemas.events import ORDER_SNAPSHOT
from schemas.topics import CAMPAIGNS_EVENTS, ORDERS_COMMANDS, ORDERS_EVENTS

CREDITED = ("order.attributed", "order.unattributed")
SELECTED = "order.campaign_selected"


def differing_campaigns(truth: CampaignTruth, journal: Journal, found: Audit) -> list[str]:
    """What is not as it must be, a line each. `found` is the audit of the journal's facts.

    Choices and credits are those of the snapshots: a rule that became another one with the same
    campaign is no event.
    """
    versions = {
        entry.body["version_id"]: instant(entry.body["effective_at"])
        for entry in journal[CAMPAIGNS_EVENTS]
    }
    states = states_in(journal[ORDERS_EVENTS])
    wrong = [f"{key} has no snapshot" for key in truth.orders.keys() - states.keys()]
    for key, order in truth.orders.items():
        state = states.get(key, {})
        wrong += _differing_choice(order, state.get("campaign"), versions)
        wrong += _differing_credit(order, (state.get("attribution") or {}).get("credit"))
    wrong += _differing_refusals(truth, found)
    wrong += _differing_sums(truth, journal[ORDERS_EVENTS])
    wrong += broken_chains(journal[ORDERS_EVENTS])
    wrong += misnumbered(journal[CAMPAIGNS_EVENTS])
    return wrong


def states_in(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """The order in its newest snapshot, by `shop/number`."""
    found: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda each: (each.partition, each.offset)):
        if entry.headers["ce_type"] == ORDER_SNAPSHOT:
            order = entry.body["context"]["order"]
            found[f"{order['shop_slug']}/{order['order_number']}"] = order
    return found


def _differing_choice(
    order: OrderTruth, found: Mapping[str, Any] | None, versions: Mapping[str, object]
) -> Iterator[str]:
    """A shop without campaigns, or an order from before them, has no choice to show."""
    wanted = order.choice
    if found is None and wanted.rule == "no_match":
        return
    shown = found or {}
    members = {
        "stage": wanted.stage,
        "rule": wanted.rule,
        "campaign_id": wanted.campaign_id,
        "segment": wanted.segment,
        "test_id": wanted.test_id,
        "is_held_out": wanted.is_held_out or None,
        "discount_id": wanted.discount_id,
    }
    other = {name: shown.get(name) for name, value in members.items() if shown.get(name) != value}
    if other:
        yield f"{order.facts.key}: choice has {other} where it must have {members}"
    elif instant(shown["at"]) != wanted.at:
        yield f"{order.facts.key}: choice is as of {shown['at']}, must be {wanted.at}"
    elif not _has_version(wanted, shown.get("campaign_version"), versions):
        yield f"{order.facts.key}: choice is not of the version since {wanted.since}"


def _has_version(wanted: Choice, version: str | None, versions: Mapping[str, object]) -> bool:
    """Whether the version holds since the right time. One that made no event has none."""
    if wanted.campaign_id is None:
        return version is None
    return version is not None and versions.get(version, wanted.since) == wanted.since


def _differing_credit(order: OrderTruth, found: Mapping[str, Any] | None) -> Iterator[str]:
    wanted = order.credit
    if found is None and wanted is None:
        return
    is_right = found and wanted and credit_in(found) == wanted
    if not is_right or (found or {})["confidence"] != (wanted and wanted.confidence):
        yield f"{order.facts.key}: credit is {found}, must be {wanted}"


def credit_in(found: Mapping[str, Any]) -> Credit:
    """A credit as an event has it."""
    return Credit(
        campaign_id=found["campaign_id"],
        method=found["method"],
        revenue=Decimal(found["revenue"]),
        discount=Decimal(found.get("discount", "0")),
        currency=found["currency"],
        session_id=found.get("session_id"),
    )


def _differing_refusals(truth: CampaignTruth, found: Audit) -> Iterator[str]:
    """Each bad command refused once for its reason, and nothing else."""
    wanted = {(ORDERS_COMMANDS, f"{id_}#0", reason): 1 for id_, reason in truth.refusals.items()}
    for refusal in sorted(wanted.keys() | found.refusals.keys()):
        if wanted.get(refusal, 0) != found.refusals[refusal]:
            yield f"refused {found.refusals[refusal]} times: {refusal}"


# A subscriber that keeps sums by the events of credits alone.


def _differing_sums(truth: CampaignTruth, entries: Sequence[Entry]) -> Iterator[str]:
    wanted = {
        (shop, campaign, currency): money
        for shop, sums in truth.shops.items()
        for (campaign, currency), money in sums.money.items()
        if campaign is not None
    }
    kept = sums_of(entries)
    for name in sorted(wanted.keys() | kept.keys()):
        if kept.get(name, Money()) != wanted.get(name, Money()):
            yield f"events sum up to {kept.get(name)} for {name}, must be {wanted.get(name)}"


def sums_of(entries: Sequence[Entry]) -> dict[tuple[str, str, str], Money]:
    """Add each credit and subtract the former one, once for each version of an order."""
    kept: dict[tuple[str, str, str], Money] = defaultdict(Money)
    done: set[tuple[str, int]] = set()
    for entry in entries:
        if entry.headers["ce_type"] not in CREDITED:
            continue
        data, shop = entry.body["event_data"], entry.body["shop_slug"]
        if (entry.key, data["attribution_version"]) in done:
            continue
        done.add((entry.key, data["attribution_version"]))
        _add(kept, shop, data.get("credit"), 1)
        _add(kept, shop, data.get("former_credit"), -1)
    return {name: money for name, money in kept.items() if money != Money()}


def _add(
    kept: dict[tuple[str, str, str], Money],
    shop: str,
    found: Mapping[str, Any] | None,
    sign: int,
) -> None:
    if found:
        credit = credit_in(found)
        money = kept[shop, credit.campaign_id, credit.currency]
        money.orders += sign
        money.revenue += sign * credit.revenue
        money.discount += sign * credit.discount


def broken_chains(entries: Sequence[Entry]) -> Iterator[str]:
    """Each event of a choice or credit begins where the one before it of the order ended."""
    choices: dict[str, Any] = {}
    credited: dict[str, tuple[int, Any]] = {}
    seen: set[str] = set()
    for entry in sorted(entries, key=lambda each: (each.partition, each.offset)):
        type_ = entry.headers["ce_type"]
        if entry.id in seen or type_ not in (*CREDITED, SELECTED):
            continue
        seen.add(entry.id)
        data = entry.body["event_data"]
        if type_ == SELECTED:
            if not _follows(choices.get(entry.key), data.get("previous_campaign")):
                yield f"{entry.key}: {entry.id} is not after the choice before it"
            choices[entry.key] = data["campaign"]
            continue
        version, credit = credited.get(entry.key, (0, None))
        if (data["attribution_version"], data.get("former_credit")) != (version + 1, credit):
            yield f"{entry.key}: {entry.id} is not after the credit before it"
        if (type_ == "order.attributed") is not (data.get("credit") is not None):
            yield f"{entry.key}: {type_} has the credit {data.get('credit')}"
        credited[entry.key] = data["attribution_version"], data.get("credit")


def _follows(before: Mapping[str, Any] | None, previous: Mapping[str, Any] | None) -> bool:
    """Whether a former choice is the one that was published; a first one without a match is not.

    What only was looked at may change without an event.
    """
    if before is None:
        return previous is None or previous["rule"] == "no_match"
    return previous is not None and _deciding(before) == _deciding(previous)


def _deciding(choice: Mapping[str, Any]) -> dict[str, Any]:
    names = ("stage", "campaign_id", "campaign_version", "test_id", "is_held_out", "discount_id")
    return {name: choice.get(name) for name in names}


def misnumbered(entries: Sequence[Entry]) -> Iterator[str]:
    """Events of campaigns have their shop as key and are numbered by it without gaps, from 1."""
    numbers: dict[str, dict[int, str]] = defaultdict(dict)
    for entry in entries:
        body = entry.body
        if entry.key != body["shop_slug"]:
            yield f"{entry.id} of {body['shop_slug']} has the key {entry.key}"
        if entry.headers["ce_type"].endswith(".snapshot"):
            continue
        if numbers[entry.key].setdefault(body["sequence"], entry.id) != entry.id:
            yield f"{entry.key} has two events with the number {body['sequence']}"
    for shop, known in numbers.items():
        if sorted(known) != list(range(1, len(known) + 1)):
            yield f"the events of {shop} are numbered {sorted(known)}"
