"""Every reason and warning of the orders service: a message that gets it, read and decided."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.identity import order_id, shipment_id
from services.orders.domain.model.decision import Decision, Outcome
from services.orders.domain.model.reasons import SENTENCES, Reason
from services.orders.domain.model.warnings import WarningCode
from services.orders.expiry import expire
from services.orders.intake import read_records
from services.orders.messages.decode import DecodedItem, read
from services.runtime.batch.batch import Batch
from services.runtime.config.allowed_sources import ANY_SOURCE, AllowedSources
from services.runtime.messages.records import Coordinates, Original
from services.runtime.rejections import Rejection
from services.runtime.waiting.store import Waiting
from tests.unit.orders.builders import NOON, Desk

ROOT = Path(__file__).resolve().parents[2]
ORDER = order_id("qa", "1")
FIRST, SECOND = (str(shipment_id(ORDER, ordinal)) for ordinal in (1, 2))
ADDRESS = {"zip_code": "10115"}
EARLY = "2024-01-01T00:00:00Z"


@dataclass(frozen=True)
class Message:
    """A message as its sender writes it; without `ce_id` it is another one each time."""

    type: str
    body: dict[str, Any]
    ce_id: str = ""

    def original(self, offset: int, now: datetime) -> Original:
        """The record with this message."""
        is_tracking = self.type == "tracking.reported"
        topic = "carrier.tracking" if is_tracking else "orders.commands"
        named = (("ce_type", self.type), ("ce_id", self.ce_id or f"{offset}"), ("ce_source", "/a"))
        headers = tuple((name, value.encode()) for name, value in named)
        value = json.dumps(self.body).encode()
        return Original(Coordinates(topic, 0, offset), b"qa/1", headers, value, now)


def say(type_: str, *, ce_id: str = "", shop: str = "qa", **members: Any) -> Message:
    return Message(type_, {"shop_slug": shop, **members}, ce_id)


def placed(number: str = "1", *, shop: str = "qa", ce_id: str = "", **members: Any) -> Message:
    order = {"order_number": number, "address": ADDRESS, **members}
    return say("order.place", shop=shop, ce_id=ce_id, order=order)


def upserted(number: str = "1", **members: Any) -> Message:
    return say("order.upsert", id=number, **members)


def attached(*numbers: str, shop: str = "qa", **members: Any) -> Message:
    parcels = [{"tracking_number": number, **members} for number in numbers]
    return say("order.upsert", shop=shop, id="1", trackings=parcels)


def promoted(campaign_id: str = "spring", **members: Any) -> Message:
    """An enabled campaign of the segment `news`."""
    said = {"name": "Spring", "segment": "news", "enabled": True, "promotion_type": "basic"}
    return say("campaign.upsert", campaign_id=campaign_id, **(said | members))


def split(test_id: str = "split", share: int = 100, **members: Any) -> Message:
    variants = [{"campaign_id": "spring", "allocation": share}]
    return say("ab_test.upsert", test_id=test_id, name="Split", campaigns=variants, **members)


def discounted(**members: Any) -> Message:
    said = {"code": "TEN", "type": "order", "value_type": "percentage", "value": "10"}
    return say("discount.upsert", discount_id="ten", **(said | members))


def updated(**members: Any) -> Message:
    return say("order.update", id="1", **members)


def voided(**members: Any) -> Message:
    return say("shipment.void", id="1", tracking_number="1Z999", **members)


def reported(minutes: Iterable[int] = (0,), *, retracts: str | None = None) -> Message:
    """A report of a scan in each of some minutes, or of one that takes a scan back."""
    scans = [
        {
            "event_name": "SORTED",
            "scan_id": f"scan-{minute}",
            "occurred_at": (NOON + timedelta(minutes=minute)).isoformat(),
            "retracts": retracts,
        }
        for minute in minutes
    ]
    return Message("tracking.reported", {"tracking_number": "1Z999", "scans": scans})


def decided(*messages: Message) -> Decision:
    """The decision of the last of some messages, each read and decided after those before it."""
    desk = Desk()
    for offset, message in enumerate(messages):
        original = message.original(offset, NOON)
        (entry,) = read(original, NOON)
        assert isinstance(entry, DecodedItem), entry
        decision = desk.send(entry.command)
    if decision.outcome is not Outcome.WAITING:
        return decision
    row = Waiting(entry.item.item_id, decision.waits_for or "", original, 0, NOON)
    expired = expire(row, entry, {}).decision
    assert expired.reason is decision.reason
    return expired


TWO_PARCELS = (placed(expected_number_of_shipments=2), attached("1Z001"))
HANDED_OVER = (placed(), attached("1Z999"))
DELIVERED = Message(
    "tracking.reported",
    {
        "tracking_number": "1Z999",
        "scans": [{"event_name": "SUCCESSFULLY_DELIVERED", "occurred_at": NOON.isoformat()}],
    },
)
SAME_NAME = (placed(order_name="#1"), placed("2", order_name="#1"))
LINES = {"products": [{"sku": "MUG", "quantity": 1}]}

NO_CHANGE = {
    Reason.DUPLICATE: (placed(ce_id="a"), placed(ce_id="a")),
    Reason.STALE: (
        placed(),
        updated(source_version=2, address={"city": "Berlin"}),
        updated(source_version=1, address={"city": "Bonn"}),
    ),
    Reason.NO_DIFFERENCE: (placed(), updated(address=ADDRESS)),
    Reason.ALREADY_VOIDED: (*HANDED_OVER, voided(), voided()),
}
REJECTED = {
    Reason.ORDER_NOT_FOUND: (updated(address=ADDRESS),),
    Reason.NUMBER_NOT_OWNED: (reported(),),
    Reason.ORDER_EXISTS: (placed(), placed(email_id="ada@example.org")),
    Reason.REFERENCE_CONFLICT: (placed(external_id="gid-1"), placed("2", external_id="gid-1")),
    Reason.REFERENCE_AMBIGUOUS: (
        *SAME_NAME,
        say("order.update", id="#1", id_type="order_name", address=ADDRESS),
    ),
    Reason.TOO_MANY_SHIPMENTS: (placed(), updated(expected_number_of_shipments=101)),
    Reason.TRACKING_NUMBER_SHARED: (
        *(placed(f"{n}") for n in range(17)),
        *(upserted(f"{n}", trackings=[{"tracking_number": "1Z999"}]) for n in range(17)),
    ),
    Reason.TRACKING_NUMBER_EMPTY: (placed(), attached("---")),
    Reason.TRACKING_NUMBER_PLACEHOLDER: (placed(), attached("n/a")),
    Reason.TRACKING_NUMBER_LIST: (placed(), attached("1Z001,02")),
    Reason.ORDER_CANCELLED: (
        placed(),
        say("order.cancel", id="1"),
        updated(expected_number_of_shipments=2),
    ),
    Reason.SHIPMENT_NOT_FOUND: (placed(), say("shipment.update", id="1", shipment_id=SECOND)),
    Reason.SHIPMENT_AMBIGUOUS: (
        *TWO_PARCELS,
        say("shipment.update", id="1", tracking_number="1Z001", shipment_id=SECOND),
    ),
    Reason.SHIPMENT_IS_DRAFT: (placed(), say("shipment.void", id="1", shipment_id=FIRST)),
    Reason.SHIPMENT_DELIVERED: (*HANDED_OVER, DELIVERED, voided()),
    Reason.FORCE_NEEDS_REASON: (*HANDED_OVER, DELIVERED, voided(force=True)),
    Reason.NUMBER_ON_ORDER: (
        placed(),
        attached("1Z001", external_shipment_id="f1"),
        attached("1Z002"),
        say("shipment.update", id="1", external_shipment_id="f1", tracking_number="1Z002"),
    ),
    Reason.CAMPAIGN_OVERLAPS: (promoted(), promoted("summer")),
    Reason.CAMPAIGN_NOT_FOUND: (say("campaign.pause", campaign_id="spring"),),
    Reason.TOO_MANY_CAMPAIGNS: tuple(split(f"{n}") for n in range(201)),
    Reason.ENDS_BEFORE_START: (promoted(start_date=EARLY, end_date=EARLY),),
    Reason.ALLOCATIONS_DO_NOT_SUM: (split(share=90),),
    Reason.AB_TEST_RUNNING: (split(), split(segment="news")),
    Reason.DISCOUNT_ON_NOTHING: (discounted(value="0"),),
    Reason.DISCOUNT_CODE_FIXED: (discounted(), discounted(code="ELEVEN")),
}
WAITS_FIRST = (Reason.ORDER_NOT_FOUND, Reason.NUMBER_NOT_OWNED)
NOT_GIVEN = {
    Reason.QUANTITY_ABOVE_ORDERED,
    Reason.PRODUCT_UNKNOWN,
    Reason.TOO_FEW_SHIPMENTS,
    Reason.SHIPMENT_NOT_NAMED,
    Reason.TOO_MANY_SCANS,
    Reason.TRACKING_NUMBER_IN_USE,
}
MALFORMED_INSTEAD = {
    Reason.TOO_FEW_SHIPMENTS: updated(expected_number_of_shipments=-1),
    Reason.SHIPMENT_NOT_NAMED: say("shipment.update", id="1", tracking_url="https://a.example/1"),
}
WARNED = {
    WarningCode.VALUE_LEFT_OUT: (placed(weight="1,234"),),
    WarningCode.VALUE_READ_AS: (placed(currency="€"),),
    WarningCode.VALUE_DOUBTFUL: (placed(email_id="ada"),),
    WarningCode.TEXT_CUT: (placed(user_agent="x" * 1025),),
    WarningCode.LIST_CUT: (placed(discounts=[{"code": "TEN"}] * 51),),
    WarningCode.ENTRY_LEFT_OUT: (placed(discounts=[{"amount": "10"}]),),
    WarningCode.LINE_LEFT_OUT: (placed(products=[{"sku": "MUG", "quantity": 0}]),),
    WarningCode.PRODUCT_NOT_ORDERED: (
        placed(**LINES),
        attached("1Z999", products=[{"sku": "GIFT", "quantity": 1}]),
    ),
    WarningCode.QUANTITY_ABOVE_ORDERED: (
        placed(**LINES),
        attached("1Z999", products=[{"sku": "MUG", "quantity": 2}]),
    ),
    WarningCode.NAME_SHARED: SAME_NAME,
    WarningCode.CAMPAIGN_WAS_ACTIVE: (
        promoted(effective_at=EARLY),
        say("campaign.remove", campaign_id="spring"),
    ),
    WarningCode.REFERENCE_UNKNOWN: (promoted(discount_id="ten"),),
    WarningCode.TOUCH_AFTER_ORDER: (
        placed(
            order_placed_at=EARLY,
            referral={"campaign_id": "spring", "clicked_at": "2024-01-02T00:00:00Z"},
        ),
    ),
    WarningCode.NUMBER_REPLACED: (
        placed(),
        attached("1Z001", external_shipment_id="f1"),
        attached("1Z002", external_shipment_id="f1"),
    ),
    WarningCode.SCANS_WITHOUT_EVENT: (*HANDED_OVER, reported(range(501))),
    WarningCode.RETRACTION_TOO_LATE: (
        *HANDED_OVER,
        reported(range(500)),
        reported(range(500, 510)),
        reported([600], retracts="scan-0"),
    ),
    WarningCode.DESCRIPTION_STALE: (
        placed(),
        updated(source_version=2, address={"city": "Berlin"}),
        upserted(
            source_version=1,
            order={"order_number": "1", "address": {"city": "Bonn"}},
            trackings=[{"tracking_number": "1Z999"}],
        ),
    ),
}


@pytest.mark.parametrize("reason", NO_CHANGE)
def test_reason_of_a_command_that_changes_nothing(reason: Reason) -> None:
    decision = decided(*NO_CHANGE[reason])

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, reason)
    assert decision.detail.endswith(SENTENCES[reason].partition("; ")[2])


def test_reason_of_an_upsert_that_expects_more_of_a_cancelled_order() -> None:
    order = {"order_number": "1", "address": ADDRESS, "expected_number_of_shipments": 2}

    decision = decided(placed(), say("order.cancel", id="1"), upserted(order=order))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.ORDER_CANCELLED)
    assert decision.pointer == "/order/expected_number_of_shipments"


@pytest.mark.parametrize("reason", REJECTED)
def test_reason_of_a_message_that_is_refused(reason: Reason) -> None:
    decision = decided(*REJECTED[reason])

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)
    assert decision.detail
    assert decision.pointer
    if reason not in WAITS_FIRST:
        assert decision.detail.endswith(SENTENCES[reason].partition("; ")[2]), "no way out"


def test_reason_of_a_sender_that_is_not_allowed() -> None:
    lists = AllowedSources.parse('{"qa": ["/b"]}')
    original = placed().original(0, NOON)

    (refused,) = read_records(Batch((original,), NOON), lists)
    (taken,) = read_records(Batch((original,), NOON), ANY_SOURCE)

    assert isinstance(refused, Rejection)
    assert refused.reason == Reason.SOURCE_NOT_ALLOWED
    assert isinstance(taken, DecodedItem)


@pytest.mark.parametrize("reason", MALFORMED_INSTEAD)
def test_reason_that_is_not_given_is_malformed_instead(reason: Reason) -> None:
    (entry,) = read(MALFORMED_INSTEAD[reason].original(0, NOON), NOON)

    assert isinstance(entry, Rejection)
    assert entry.reason == "invalid_fields"


@pytest.mark.parametrize("reason", sorted(NOT_GIVEN))
def test_reason_that_is_not_given_says_so(reason: Reason) -> None:
    page = (ROOT / "docs/contract/reasons.md").read_text("utf-8")

    assert SENTENCES[reason].startswith("Not given any more:")
    assert f"| `{reason}` | Not given any more:" in page
    assert page.count("Not given any more:") == len(NOT_GIVEN)


@pytest.mark.parametrize("reason", sorted(set(Reason) - {*NO_CHANGE, Reason.SOURCE_NOT_ALLOWED}))
def test_reason_has_the_same_way_out_on_the_page(reason: Reason) -> None:
    page = (ROOT / "docs/contract/reasons.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{reason}` |"))
    plain = row.translate({ord(each): None for each in "`[]"}).replace("(#warnings)", "").lower()

    assert SENTENCES[reason].partition("; ")[2].lower() in plain


@pytest.mark.parametrize("code", WARNED)
def test_warning_of_a_message_that_is_taken(code: WarningCode) -> None:
    decision = decided(*WARNED[code])

    assert decision.outcome is Outcome.APPLIED
    assert [each.code for each in decision.warnings] == [code]
    assert decision.warnings[0].pointer


def test_every_reason_and_warning_has_a_message_that_gets_it() -> None:
    given = {*NO_CHANGE, *REJECTED, Reason.SOURCE_NOT_ALLOWED, Reason.ORDER_ERASED}

    assert given | NOT_GIVEN == set(Reason)
    assert not given & NOT_GIVEN
    assert set(WARNED) == set(WarningCode)


def test_warning_does_not_change_what_becomes_of_a_message() -> None:
    """The same doubtful value, in a command that is applied, changes nothing, or is refused."""
    doubtful = placed(email_id="ada")
    wrong = replace(doubtful, body=placed(email_id="ada", expected_number_of_shipments=101).body)

    for outcome, messages in [
        (Outcome.APPLIED, (doubtful,)),
        (Outcome.NO_CHANGE, (doubtful, doubtful)),
        (Outcome.REJECTED, (wrong,)),
    ]:
        decision = decided(*messages)
        assert decision.outcome is outcome
        assert [each.code for each in decision.warnings] == [WarningCode.VALUE_DOUBTFUL]
