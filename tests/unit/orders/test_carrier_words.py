"""A shop may name a carrier by its key, or by the word of the aggregator that reports it."""

import json

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import EventType
from services.orders.domain.model.windows import windows_of
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.value import replace
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.decode import TRACKING, read
from tests.unit.orders.builders import DAY, HOUR, NOON, Desk, attach, place, ref, report, upsert
from tests.unit.orders.mutations import original_of

NUMBER = "00340434161094027409"
DELIVERED, PICKED_UP = "Delivered_001", "InTransit_002"


def tracking(slug, *subtags, at=NOON):
    """The command of a payload of AfterShip."""
    checkpoints = [
        {"checkpoint_time": (at + place * HOUR).isoformat(), "subtag": subtag}
        for place, subtag in enumerate(subtags)
    ]
    body = {"msg": {"tracking_number": NUMBER, "slug": slug, "checkpoints": checkpoints}}
    sent = (TRACKING, "aftership.tracking", json.dumps(body).encode())
    (entry,) = read(original_of(sent), at)
    fresh = report()
    return replace(entry.command, item_id=fresh.item_id, causation_id=fresh.causation_id)


def desk_of(*carriers):
    """One order, with the number as a parcel of this carrier; a further order for each other."""
    desk = Desk(code_maps=CODE_MAPS)
    for at, carrier in enumerate(carriers, 1):
        desk.send(place(str(at)))
        desk.send(attach(NUMBER, to=str(at), carrier=carrier))
    return desk


def phases(desk, *orders):
    return [desk.shipment(number=order).tracking.phase for order in orders or ("1",)]


SEEN = {
    "our key": ("dhl-germany", "dhl"),
    "our key in another case": ("dhl-germany", "DHL"),
    "the word of the aggregator": ("dhl-germany", "dhl-germany"),
    "the word in another case": ("DHL-Germany", "dhl-GERMANY"),
    "no carrier": ("dhl-germany", None),
    "a word that is a key of another carrier": ("dhl", "dhl"),
    "the key of what that word means": ("dhl", "dhlexp"),
    "a word that has no key": ("china-post", "china-post"),
    "a word without a key may be any carrier": ("china-post", "ups"),
}


@pytest.mark.parametrize("case", SEEN)
def test_shop_sees_scans_by_either_name_of_its_carrier(case):
    said, named = SEEN[case]
    desk = desk_of(named)

    decision = desk.send(tracking(said, PICKED_UP, DELIVERED))

    assert phases(desk) == [Phase.DELIVERED]
    assert [event.type for event in decision.events].count(EventType.SHIPMENT_SCANNED) == 2


@pytest.mark.parametrize("named", ["ups", "dhl2man", "hermes-de", "dhlexp"])
def test_shop_does_not_see_scans_of_another_carrier(named):
    desk = desk_of(named)

    desk.send(tracking("dhl-germany", PICKED_UP))

    assert phases(desk) == [Phase.ORDER_PROCESSED]
    assert len(desk.parcels[NUMBER].scans) == 1


def test_shops_that_name_one_carrier_by_both_words_both_see_its_scans():
    desk = desk_of("dhl", "dhl-germany")

    desk.send(tracking("dhl-germany", PICKED_UP))

    assert phases(desk, "1", "2") == [Phase.IN_TRANSIT, Phase.IN_TRANSIT]


def test_reused_number_of_shops_with_both_words_is_of_the_later_parcel():
    desk = desk_of("dhl")
    desk.send(tracking("dhl-germany", PICKED_UP, DELIVERED))
    desk.now += 40 * DAY
    desk.send(place("2"))
    desk.send(attach(NUMBER, to="2", carrier="dhl-germany"))

    desk.send(tracking("dhl-germany", PICKED_UP, at=desk.now))

    assert phases(desk, "1", "2") == [Phase.DELIVERED, Phase.IN_TRANSIT]


def test_places_before_a_shop_came_are_hidden_by_either_word():
    desk = desk_of("dhl")
    desk.send(tracking("dhl-germany", PICKED_UP))
    desk.now += 2 * HOUR
    desk.send(place("2", shop="other"))
    said = Tracking(tracking_number=NUMBER, carrier_reference="dhl-germany")
    desk.send(upsert(ref("2", shop="other"), trackings=(said,)))
    windows = windows_of(desk.parcels[NUMBER])

    assert [window.hidden_before is not None for window in windows] == [False, True]


def test_word_without_a_key_is_of_the_parcel_whose_shop_uses_it():
    desk = desk_of("ups", "china-post")

    desk.send(tracking("china-post", PICKED_UP))

    assert phases(desk, "1", "2") == [Phase.ORDER_PROCESSED, Phase.IN_TRANSIT]


def test_keys_of_scans_are_made_of_the_word_and_not_of_what_a_map_makes_of_it():
    (scan,) = tracking("dhl-germany", PICKED_UP).scans
    (same,) = tracking("DHL-Germany", PICKED_UP).scans
    (other,) = tracking("dhl", PICKED_UP).scans

    assert (scan.carrier, scan.said_carrier) == ("dhl", "dhl-germany")
    assert scan.key == same.key
    assert (other.carrier, other.said_carrier) == ("dhlexp", "dhl")
    assert scan.key != other.key


def test_word_that_is_the_key_is_not_kept_twice():
    (scan,) = tracking("UPS", PICKED_UP).scans

    assert (scan.carrier, scan.said_carrier) == ("ups", None)
