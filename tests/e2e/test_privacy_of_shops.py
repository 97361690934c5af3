"""Two shops on one tracking number, from outside: every topic, with keys and headers, is read.

Each scan says a place, a signer, words, a proof, a pick-up point and a time zone that no other scan
has. No message for a shop that has no right to them says one of them, and none names the order, the
number of the order, the shipment or the command of another shop.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from demo.journal import Entry
from demo.messages import claim, command, tracking
from demo.script import ScriptMessage
from deploy.stack import Addresses
from schemas.identity import order_id, shipment_id
from schemas.topics import CARRIER_TRACKING_REJECTED, ORDERS_COMMANDS, TOPICS
from tests.e2e.aftermath import read_journal
from tests.processes import ANSWER_SECONDS, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

RIGHT, WRONG, THIRD = "kitchen-shop", "garden-shop", "toy-shop"
HOUR = timedelta(hours=1)
_ids = map(str, itertools.count())

Step = Callable[["Story"], list[ScriptMessage]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with running(stack, tmp_path_factory.mktemp("privacy"), copies=1) as system:
        yield system


@dataclass
class Story:
    """Shops on one number. `now` is business time."""

    system: System
    said: list[str] = field(default_factory=list)
    """What scans said that one shop alone may see."""
    number: str = field(default_factory=lambda: f"JD0000{next(_ids):0>4}")

    @property
    def now(self) -> Any:
        return self.system.player.now

    def order(self, shop: str) -> str:
        """The order number of a shop, which no other shop has."""
        return f"{self.number}-of-{shop}"

    def send(self, shop: str, type_: str, **body: Any) -> ScriptMessage:
        order = f"{shop}/{self.order(shop)}"
        return command(order, type_, body, self.now, id_=f"{type_} of {order} {next(_ids)}")

    async def play(self, steps: Sequence[Step]) -> None:
        """Each step an hour after the one before."""
        for step in steps:
            sent = await self.system.send(*step(self))
            for each in sent:
                if each.message.topic == ORDERS_COMMANDS:
                    assert self.system.outcome(each) == ("applied", None)
            self.system.let_pass(HOUR)


def attach(shop: str, carrier: str | None = None, hours: int | None = None) -> Step:
    """Attach the number; with `hours`, as handed over so long ago."""

    def messages(story: Story) -> list[ScriptMessage]:
        order = {
            "order_number": story.order(shop),
            "address": {"zip_code": "10115"},
            "products": [{"sku": "MUG", "quantity": 1}],
        }
        label = {"tracking_number": story.number, "carrier_reference": carrier}
        if hours is not None:
            label["tracking_placed_at"] = (story.now - hours * HOUR).isoformat()
        return [
            story.send(
                shop, "order.upsert", id=order["order_number"], order=order, trackings=[label]
            )
        ]

    return messages


def scans(*names: str, hours: int = 0) -> Step:
    """A report of scans with places, the last of them so many hours ago."""

    def messages(story: Story) -> list[ScriptMessage]:
        at = story.now - hours * HOUR
        bodies = [_scan(story, name, at - timedelta(minutes=i)) for i, name in enumerate(names)]
        return [tracking("dhl", story.number, bodies, at, id_=f"report {next(_ids)}")]

    return messages


def _scan(story: Story, name: str, at: Any) -> dict[str, Any]:
    mark = f"secret{next(_ids)}of{story.number}"
    story.said.append(mark)
    return {
        "event_name": name,
        "occurred_at": at.isoformat(),
        "timezone": "Europe/Lisbon",
        "location": {"city": mark, "postal_code": mark[:12], "province": mark},
        "text": f"Left with {mark}",
        "reason": f"given to {mark}",
        "proof": {"signed_by": mark, "image_url": f"https://proof.example/{mark}.png"},
        "pickup": {"type": "shop", "name": mark, "address": mark},
    }


def void(shop: str) -> Step:
    return lambda story: [
        story.send(
            shop,
            "shipment.void",
            id=story.order(shop),
            tracking_number=story.number,
            force=True,
            reason=f"words of {shop}",
        )
    ]


def name_carrier(shop: str, carrier: str) -> Step:
    return lambda story: [
        story.send(
            shop,
            "shipment.update",
            id=story.order(shop),
            tracking_number=story.number,
            carrier_reference=carrier,
        )
    ]


def complain(shop: str) -> Step:
    """Open a claim, whose events have the order with its parcels."""
    return lambda story: [
        claim(
            f"{shop}/{story.order(shop)}",
            "claim.open",
            {"id": story.order(shop), "reason": "damage", "tracking_number": story.number},
            story.now,
            id_=f"claim of {shop} {next(_ids)}",
        )
    ]


PICKED_UP, COLLECT = scans("PICKED_UP_BY_CARRIER"), scans("READY_FOR_COLLECTION_AT_PARCEL_SHOP")
ON_ITS_WAY, DONE = scans("OUT_FOR_DELIVERY"), scans("COLLECTED_BY_CUSTOMER")
BOTH_COMPLAIN = [complain(RIGHT), complain(WRONG)]
MISTYPED: dict[str, list[Step]] = {
    "before there was a parcel": [
        attach(WRONG),
        attach(RIGHT),
        PICKED_UP,
        COLLECT,
        DONE,
        *BOTH_COMPLAIN,
    ],
    "as the parcel was handed over": [
        attach(RIGHT),
        PICKED_UP,
        attach(WRONG),
        *BOTH_COMPLAIN,
        COLLECT,
        DONE,
    ],
    "after the parcel was under way": [
        attach(RIGHT),
        scans("ARRIVAL_AT_TRANSPORT_HUB", "PICKED_UP_BY_CARRIER"),
        COLLECT,
        attach(WRONG),
        DONE,
    ],
    "after the parcel was delivered": [
        attach(RIGHT),
        PICKED_UP,
        COLLECT,
        DONE,
        attach(WRONG, hours=3),
        *BOTH_COMPLAIN,
    ],
    "with a hand-over of long ago": [attach(RIGHT), PICKED_UP, attach(WRONG, hours=700), COLLECT],
    "with a hand-over that ends the parcel": [
        attach(RIGHT),
        PICKED_UP,
        DONE,
        scans("DROPPED_OFF"),
        COLLECT,
        attach(WRONG, hours=2),
    ],
    "with another carrier that is corrected": [
        attach(RIGHT, "dhl"),
        attach(WRONG, "ups"),
        PICKED_UP,
        COLLECT,
        name_carrier(WRONG, "dhl"),
        DONE,
    ],
    "and the right one names another carrier": [
        attach(RIGHT, "dhl"),
        PICKED_UP,
        COLLECT,
        attach(WRONG),
        name_carrier(RIGHT, "ups"),
    ],
    "and the right one is voided": [
        attach(RIGHT),
        PICKED_UP,
        attach(WRONG),
        COLLECT,
        void(RIGHT),
        complain(WRONG),
    ],
    "and the right one is voided and comes back": [
        attach(RIGHT),
        PICKED_UP,
        attach(WRONG),
        COLLECT,
        void(RIGHT),
        attach(RIGHT),
        DONE,
    ],
    "and scans come late": [
        attach(RIGHT),
        ON_ITS_WAY,
        attach(WRONG),
        scans("SORTED", "PICKED_UP_BY_CARRIER", hours=2),
        scans("LABEL_CREATED", hours=9),
        COLLECT,
    ],
    "and the wrong one is voided and comes back": [
        attach(RIGHT),
        PICKED_UP,
        attach(WRONG),
        void(RIGHT),
        void(WRONG),
        attach(WRONG),
    ],
}


@pytest.mark.parametrize("how", MISTYPED)
async def test_shop_that_mistyped_a_number_sees_nothing_of_the_other(
    system: System, how: str
) -> None:
    story = Story(system)

    await story.play(MISTYPED[how])

    seen = await messages_of(system, story)
    assert names_told_to(seen[WRONG], story, RIGHT) == set()
    assert names_told_to(seen[RIGHT], story, WRONG) == set()
    assert told_to(seen[WRONG], [*story.said, "Europe/Lisbon"]) == set()
    assert told_to(seen[RIGHT], story.said) == set(story.said)


async def test_third_shop_sees_nothing_of_two_others(system: System) -> None:
    story = Story(system)
    await story.play([attach(RIGHT), PICKED_UP, attach(WRONG), COLLECT, attach(THIRD), void(RIGHT)])

    seen = await messages_of(system, story)
    assert told_to(seen[THIRD], story.said) == told_to(seen[WRONG], story.said) == set()
    for shop, other in itertools.permutations((RIGHT, WRONG, THIRD), 2):
        assert names_told_to(seen[shop], story, other) == set()


async def test_number_used_again_shows_neither_shop_the_parcel_of_the_other(
    system: System,
) -> None:
    story = Story(system)
    await story.play([attach(RIGHT), PICKED_UP, DONE])
    first = list(story.said)
    system.let_pass(90 * 24 * HOUR)
    await story.play([attach(WRONG), PICKED_UP, COLLECT])

    seen = await messages_of(system, story)
    assert told_to(seen[RIGHT], story.said) == set(first)
    assert told_to(seen[WRONG], story.said) == set(story.said) - set(first)
    await story.play([void(WRONG)])
    seen = await messages_of(system, story)
    assert told_to(seen[RIGHT], story.said) == set(first)
    assert names_told_to(seen[RIGHT], story, WRONG) == set()


async def messages_of(system: System, story: Story) -> dict[str, list[Entry]]:
    """What the services published about the orders of each shop, on every topic."""
    await system.groups.until_all_read(ANSWER_SECONDS, ("orders", "claims", "analytics"))
    found: dict[str, list[Entry]] = {RIGHT: [], WRONG: [], THIRD: []}
    for topic, entries in (await read_journal(system)).items():
        # Carriers alone read what was refused of their reports.
        if TOPICS[topic].incoming or topic == CARRIER_TRACKING_REJECTED:
            continue
        for entry in entries:
            shops = [each for each in found if each in texts_of(entry)]
            assert len(shops) == 1, f"{entry.topic} {entry.id} names {shops}"
            found[shops[0]].append(entry)
    return found


def texts_of(entry: Entry) -> str:
    """Key, headers and value of a message as one text."""
    headers = " ".join(f"{name}={value}" for name, value in entry.headers.items())
    return f"{entry.key} {headers} {entry.value.decode()}"


def told_to(entries: Sequence[Entry], said: Sequence[str]) -> set[str]:
    """Those of the texts that stand anywhere in the messages."""
    texts = list(map(texts_of, entries))
    return {each for each in said if any(each in text for text in texts)}


def names_told_to(entries: Sequence[Entry], story: Story, other: str) -> set[str]:
    return told_to(entries, list(names_of(story, other)))


def names_of(story: Story, shop: str) -> Iterator[str]:
    """What names a shop and its order; ids of its commands hold both."""
    order = order_id(shop, story.order(shop))
    yield from (shop, story.order(shop), str(order), str(shipment_id(order, 1)))
