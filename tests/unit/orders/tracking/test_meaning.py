"""Why a scan happened, who has to act, and the flag of codes without an event name."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.model.decision import EventType
from services.orders.domain.model.privacy import without_place
from services.orders.domain.tracking.catalogue import CATALOGUE, Flag, Why, entry_of
from services.orders.domain.tracking.naming import CodeMaps, Meaning, code_set_of, named
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.why import why_of
from services.orders.domain.value import replace
from services.orders.messages.carriers.code_maps import CODE_MAPS, REASONS, ROWS
from tests.unit.orders.builders import DAY, HOUR, NOON, Desk, attach, place, report, scan

MAPS = CodeMaps(
    sets={
        "dhl": code_set_of(
            {
                "NH": Meaning(
                    event_name="DELIVERY_ATTEMPTED",
                    reason="consignee_not_home",
                    action_required=True,
                    row="dhl/NH",
                ),
                "RJ": Meaning(
                    event_name="UNMAPPED", flag=Flag.ERROR, action_required=True, row="dhl/RJ"
                ),
                "SL": Meaning(event_name="UNMAPPED", flag=Flag.DELAY, row="dhl/SL"),
                "OK": Meaning(event_name="SORTED", row="dhl/OK"),
            }
        )
    },
    reasons={"nobody in": "consignee_not_home", "shut": "consignee_business_closed"},
    checksum="these",
)


def coded(code, at=NOON, **members):
    return named(scan("UNMAPPED", at, code=code, code_set="dhl", **members), MAPS)


def worded(name, reason, at=NOON):
    return named(scan(name, at, reason=reason), MAPS)


def state_of(*scans):
    return replay(scans, NOON + DAY).state


def said(state):
    return of(state.why)


def of(why):
    return (why.reason_code, why.action_required) if why is not None else NOTHING


def why(found):
    return why_of(found, entry_of(found.event_name))


NOTHING = (None, False)
NOT_HOME = ("consignee_not_home", True)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (coded("NH"), "consignee_not_home"),
        (coded("NH", reason="Shut "), "consignee_business_closed"),
        (coded("NH", reason="no word of the list"), "consignee_not_home"),
        (worded("NO_ACCESS", "nobody in"), "consignee_not_home"),
        (worded("NO_ACCESS", "no word of the list"), "consignee_access_restricted"),
        (worded("SORTED", "SHUT"), "consignee_business_closed"),
        (scan("REFUSED"), "consignee_refused"),
        (scan("SORTED"), None),
    ],
)
def test_reason_is_the_carriers_word_then_the_row_then_the_event_name(found, reason):
    assert of(why(found))[0] == reason


def test_reasons_of_event_names_are_of_the_list():
    found = {entry.why.reason_code for entry in CATALOGUE.values() if entry.why}

    assert found - {None} <= set(REASONS.values())
    assert len(set(REASONS.values())) == 34


def test_rows_ask_for_action_where_their_event_name_does():
    asking = {name for name, entry in CATALOGUE.items() if entry.why and entry.why.action_required}
    rows = [row for each in ROWS.values() for row in each if row.event_name in asking]

    assert rows
    assert len([row for row in rows if not row.action]) < len(rows) / 100


def test_flags_of_rows_are_those_of_their_event_names():
    for rows in ROWS.values():
        for row in (row for row in rows if row.flag and row.event_name != "UNMAPPED"):
            effect = CATALOGUE[row.event_name].flag
            assert row.flag == ("delay" if effect == "delay" else "error"), row


@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        ((coded("NH"),), NOT_HOME),
        ((coded("NH"), scan("SORTED", NOON + HOUR)), NOTHING),
        ((coded("NH"), scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)), NOTHING),
        ((coded("NH"), scan("CUSTOMER_NOTIFIED", NOON + HOUR)), NOT_HOME),
        ((coded("NH"), scan("ETA_CHANGED", NOON + HOUR)), NOT_HOME),
        ((coded("NH"), scan("NO SUCH NAME", NOON + HOUR)), NOT_HOME),
        ((coded("NH"), scan("PROBLEM_RESOLVED", NOON + HOUR)), NOTHING),
        ((coded("NH"), scan("CARRIER_DELAY", NOON + HOUR)), NOTHING),
        ((coded("NH"), coded("RJ", NOON + HOUR)), (None, True)),
        ((scan("SORTED"), scan("DUTIES_UNPAID", NOON + HOUR)), ("customs_duties_unpaid", True)),
        (
            (scan("SUCCESSFULLY_DELIVERED"), scan("DUTIES_UNPAID", NOON + HOUR)),
            NOTHING,
        ),
        ((scan("SUCCESSFULLY_DELIVERED"), scan("OUT_FOR_DELIVERY", NOON + HOUR)), NOTHING),
        ((scan("DELIVERED_DAMAGED"),), ("carrier_damaged_parcel", True)),
        (
            (scan("DELIVERED_DAMAGED"), scan("PROOF_OF_DELIVERY_AVAILABLE", NOON + HOUR)),
            ("carrier_damaged_parcel", True),
        ),
        ((scan("READY_FOR_COLLECTION_AT_LOCKER"),), (None, True)),
        (
            (scan("READY_FOR_COLLECTION_AT_LOCKER"), scan("COLLECTED_BY_CUSTOMER", NOON + HOUR)),
            NOTHING,
        ),
        ((scan("LOST"), scan("ARRIVAL_AT_TRANSPORT_HUB", NOON + HOUR)), NOTHING),
        (
            (scan("DELIVERED_DAMAGED"), scan("RETURN_LABEL_CREATED", NOON + HOUR)),
            NOTHING,
        ),
        (
            (
                coded("NH", scan_id="1"),
                scan("SCAN_RETRACTED", NOON + HOUR, retracts="1", reason="shut"),
            ),
            NOTHING,
        ),
    ],
)
def test_reason_and_action_are_of_the_newest_scan_that_says_something(scans, expected):
    for each in permutations(scans):
        assert said(state_of(*each)) == expected


def test_word_of_the_carrier_is_beside_the_reason():
    state = state_of(worded("NO_ACCESS", "nobody in"))

    assert state.why == Why(
        reason_code="consignee_not_home", reason="nobody in", action_required=True
    )


@pytest.mark.parametrize("again", [None, "other words", "nobody in"])
def test_word_of_the_newest_scan_counts_also_where_the_state_was_stored(again):
    stored, new = worded("NO_ACCESS", "nobody in"), worded("NO_ACCESS", again, NOON + HOUR)
    desk = a_desk(stored, new)

    assert desk.shipment().tracking == state_of(stored, new)
    assert desk.shipment().tracking.why.reason == again


@pytest.mark.parametrize(
    ("scans", "flag"),
    [
        ((scan("SORTED"), coded("RJ", NOON + HOUR)), Flag.ERROR),
        ((scan("SORTED"), coded("SL", NOON + HOUR)), Flag.DELAY),
        ((coded("RJ"), scan("SORTED", NOON + HOUR)), Flag.NORMAL),
        ((coded("SL"), scan("SORTED", NOON + HOUR)), Flag.NORMAL),
        ((coded("RJ"), coded("SL", NOON + HOUR)), Flag.ERROR),
        ((coded("RJ"), scan("LABEL_CREATED", NOON + HOUR)), Flag.ERROR),
        ((scan("SUCCESSFULLY_DELIVERED"), coded("RJ", NOON + HOUR)), Flag.NORMAL),
    ],
)
def test_flag_of_a_known_code_without_event_name_counts_and_the_phase_stays(scans, flag):
    for each in permutations(scans):
        state = state_of(*each)
        assert state.flag is flag
        assert state.phase is state_of(*(s for s in scans if s.event_name != "UNMAPPED")).phase


PIECES = st.sampled_from(
    [
        *(("UNMAPPED", code, None) for code in ("NH", "RJ", "SL", "OK", "??")),
        *((name, None, None) for name in CATALOGUE),
        ("DELIVERY_ATTEMPTED", None, "nobody in"),
        ("SORTED", None, "shut"),
        ("CUSTOMER_NOTIFIED", None, "other words"),
    ]
)
HISTORIES = st.lists(st.tuples(PIECES, st.integers(-30, 30)), max_size=8).map(
    lambda drawn: tuple(
        {
            each.key: each
            for each in (
                named(
                    scan(
                        name,
                        NOON + hour * HOUR,
                        code=code,
                        code_set="dhl" if code else None,
                        reason=reason,
                    ),
                    MAPS,
                )
                for (name, code, reason), hour in drawn
            )
        }.values()
    )
)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_p5_meaning_depends_on_the_set_of_scans_alone(scans, rng: random.Random):
    shuffled, parts = list(scans), Desk(code_maps=MAPS)
    rng.shuffle(shuffled)
    parts.send(place())
    parts.send(attach("N1", carrier="dhl"))
    for each in shuffled:
        parts.send(report(each))

    assert parts.shipment().tracking == replay(scans, NOON).state


@given(HISTORIES)
def test_effects_name_each_change_of_reason_and_action(scans):
    replayed = replay(scans, NOON)
    before = said(replayed.start)
    for step in replayed.steps:
        after = said(step.state)
        assert ("reason" in step.effects) is (after[0] != before[0])
        assert ("action" in step.effects) is (after[1] != before[1])
        before = after


def test_scan_is_named_the_same_whatever_named_it_before():
    other = replace(MAPS, sets={}, reasons={}, checksum="none")
    for each in (coded("NH"), coded("RJ", reason="shut"), worded("SORTED", "shut")):
        assert named(named(each, other), MAPS) == each
        assert named(each, MAPS) is each


def a_desk(*scans, maps=MAPS):
    desk = Desk(code_maps=maps)
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    for each in scans:
        desk.send(report(each))
    return desk


def test_reasons_that_grow_heal_a_stored_scan_with_the_next():
    before = replace(MAPS, reasons={}, checksum="before")
    stored = named(scan("DELIVERY_ATTEMPTED", reason="shut"), before)
    desk = a_desk(stored, maps=before)
    assert said(desk.shipment().tracking) == (None, True)

    desk.code_maps = MAPS
    desk.send(report(scan("CUSTOMER_NOTIFIED", NOON + HOUR)))

    assert said(desk.shipment().tracking) == ("consignee_business_closed", True)
    assert stored.key in {each.key for each in desk.parcels["N1"].scans}


def test_event_has_the_reason_of_its_scan_and_the_action_of_the_parcel():
    desk = a_desk(
        coded("NH", NOON, reason="nobody in"),
        scan("SUCCESSFULLY_DELIVERED", NOON + 2 * HOUR),
        coded("NH", NOON + HOUR),
    )
    found = [e.data for e in desk.events if e.type is EventType.SHIPMENT_SCANNED]

    assert [(d.reason_code, d.reason) for d in found] == [
        ("consignee_not_home", "nobody in"),
        (None, None),
        ("consignee_not_home", None),
    ]
    assert [(d.previous_action_required, d.action_required) for d in found] == [
        (False, True),
        (True, False),
        (False, False),
    ]


def test_another_shop_sees_the_reason_and_not_the_words():
    hidden = without_place(coded("NH", reason="nobody in"))

    assert hidden.reason is None
    assert of(why(hidden)) == NOT_HOME


def test_meaning_of_a_scan_is_that_of_its_row():
    one = scan("UNMAPPED", code="DLVRD/ACCDM/ZU", code_set="dhl_paket")

    assert CODE_MAPS.find("dhl_paket", None, one.code).row == "dhl_paket/DLVRD/ACCDM/ZU"
    assert of(why(named(one, CODE_MAPS))) == ("carrier_damaged_parcel", True)
