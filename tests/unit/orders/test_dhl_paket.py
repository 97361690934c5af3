"""DHL Paket: ids made of code and time, and stornos that do not name what they take back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.messages.carriers.dhl_paket.parser import DIALECT
from services.orders.messages.carriers.dhl_paket.tree import attribute
from services.orders.messages.carriers.spelling import folded, name_of

NUMBER = "00340434161094099999"
CODES = {
    "data": ("ADVIS", "MSGST", "DD"),
    "money": ("DLVRD", "CODRP", "GT"),
    "delivered": ("DLVRD", "ACCPT", "ZU"),
    "not home": ("NTDEL", "NHOME", "ZN"),
    "loaded": ("LDTMV", "MVMTV", "PO"),
    "storno": ("STORN", "NRQRD", "DD"),
    "nothing": ("", "", ""),
}
START = datetime(2026, 11, 20, 8, tzinfo=UTC)


def event(word, minute):
    """One event of a word of `CODES`, some minutes after the start."""
    ice, ric, standard = CODES[word]
    at = (START + timedelta(minutes=minute)).strftime("%d.%m.%Y %H:%M")
    return {
        "name": "piece-event",
        "event-timestamp": at,
        "event-text": word,
        "ice": ice,
        "ric": ric,
        "standard-event-code": standard,
    }


def scans_of(events):
    piece = {"name": "piece-shipment", "piece-code": NUMBER, "data": {"data": events}}
    return DIALECT.report(piece).scans


def taken_back(events):
    """The texts of the scans that stornos take back, in the order of the stornos."""
    scans = scans_of(events)
    texts = {scan.scan_id: scan.text for scan in scans}
    return [texts[scan.retracts] for scan in scans if scan.retracts]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["loaded", "delivered", "storno"], ["delivered"]),
        (["loaded", "delivered", "data", "storno"], ["delivered"]),
        (["loaded", "delivered", "money", "storno"], ["delivered"]),
        (["loaded", "not home", "delivered", "storno", "storno"], ["delivered", "not home"]),
        (["loaded", "delivered", "storno", "not home", "storno"], ["delivered", "not home"]),
        (["loaded", "nothing", "storno"], ["loaded"]),
        (["storno", "delivered"], []),
        (["data", "storno"], []),
        (["storno"], []),
        (["loaded", "delivered"], []),
    ],
)
def test_storno_takes_back_the_newest_event_of_the_parcel_before_it(words, expected):
    events = [event(word, 10 * place) for place, word in enumerate(words)]

    assert taken_back(events) == expected
    assert sorted(taken_back(events[::-1])) == sorted(expected)


def test_storno_in_the_minute_of_its_event_is_after_it_in_the_order_of_the_list():
    events = [event("loaded", 0), event("delivered", 9), event("storno", 9)]

    assert taken_back(events) == taken_back(events[::-1]) == ["delivered"]


HISTORIES = st.lists(
    st.tuples(st.sampled_from(sorted(CODES)), st.integers(0, 600)), max_size=12, unique=True
)


@given(HISTORIES, st.data())
def test_id_of_a_scan_is_the_same_in_each_part_of_its_history(history, data):
    events = [event(word, minute) for word, minute in history]
    some = data.draw(st.lists(st.sampled_from(events), unique_by=id)) if events else []
    every = {scan.scan_id for scan in scans_of(events)}

    assert {scan.scan_id for scan in scans_of(some)} <= every


@given(HISTORIES)
def test_storno_names_a_scan_of_its_parcel_that_is_no_storno(history):
    scans = scans_of([event(word, minute) for word, minute in history])
    codes = {scan.scan_id: scan.code for scan in scans}
    named = [codes[scan.retracts].split("/") for scan in scans if scan.retracts]

    assert all(scan.code.startswith("STORN") for scan in scans if scan.retracts)
    assert all(code[0] != "STORN" and code[2] not in ("DD", "VA", "GT") for code in named)


@pytest.mark.parametrize(
    "node",
    [
        {"@piece-code": "1"},
        {"piece-code": "1"},
        {"piece_code": "1"},
        {"pieceCode": "1"},
        {"@attributes": {"piece-code": "1"}},
        {"$": {"pieceCode": "1"}},
        {"@piece-code": None, "pieceCode": "1"},
    ],
)
def test_attribute_is_found_in_each_spelling(node):
    assert attribute(node, "piece-code") == "1"


def test_names_are_folded_with_the_first_value():
    assert folded({"a-B": None, "aB": 1, "ab": 2, "l": [{"c_d": 3}]}) == {"ab": 1, "l": [{"cd": 3}]}
    assert name_of({"statusCode": 1}, "status", "statuscode") == "statusCode"
    assert name_of({"statusCode": None}, "statuscode") is name_of([], "x") is None
    deep = {"a": 1}
    for _ in range(100):
        deep = {"a": deep}
    assert isinstance(folded(deep), dict)
