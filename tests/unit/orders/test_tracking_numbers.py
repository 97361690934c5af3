"""Tracking numbers are compared by their letters and digits, however they are written."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.claims.domain.tracking_number import normalise_number as normalised_by_claims
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.tracking_number import normalise_number, shown_number
from tests.unit.orders.builders import Desk, attach, place, report, scan

NUMBER = "00340434161094020002"
FULL_WIDTH = "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in NUMBER)


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        f"{NUMBER}\u200b",
        f"\ufeff{NUMBER}\r\n",
        f"({NUMBER[:2]}) {NUMBER[2:]}",
        f"#{NUMBER}",
        f"{NUMBER[:4]}\u2011{NUMBER[4:8]}\u2013{NUMBER[8:]}",
        f"{NUMBER[:4]}\u2212{NUMBER[4:8]}\u30fc{NUMBER[8:]}",
        f"\u202a{NUMBER}\u202c",
        f"{NUMBER[:4]}\u00ad{NUMBER[4:]}\u0301",
        f"【{NUMBER}】：",
        f"\u115f{NUMBER[:4]}\u1160{NUMBER[4:8]}\u3164{NUMBER[8:]}\uffa0",
        FULL_WIDTH,
        NUMBER.replace("0", "\u0660"),
    ],
)
def test_number_is_the_same_in_each_spelling(text):
    assert normalise_number(text) == NUMBER


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1z 999-aa.1", "1Z999AA1"),
        (" jj_12/34 ", "JJ1234"),
        ("rr123456785de", "RR123456785DE"),
        ("ｒｒ１２３ｄｅ", "RR123DE"),
        ("straße1", "STRASSE1"),
        ("STRASSE1", "STRASSE1"),
        ("i1", "I1"),
        ("ı1", "I1"),
        ("İ1", "I1"),
        ("жд12", "ЖД12"),
        ("①②③", "123"),
        ("--", ""),
        ("\u200b", ""),
        ("\u3164", ""),
        ("(・)", ""),
        ("  ", ""),
        ("", ""),
    ],
)
def test_number_is_its_letters_and_digits(text, number):
    assert normalise_number(text) == number


def is_left_out(character):
    return not any(map(str.isalnum, unicodedata.normalize("NFKC", character)))


LEFT_OUT = st.characters(exclude_categories=("Cs",)).filter(is_left_out)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@given(st.data(), TEXTS, st.lists(LEFT_OUT, min_size=1, max_size=5))
def test_number_stays_the_same_with_characters_added_that_are_left_out(data, text, added):
    written = text
    for each in added:
        at = data.draw(st.integers(0, len(written)))
        written = written[:at] + each + written[at:]

    assert normalise_number(written) == normalise_number(text)


@given(TEXTS)
def test_number_normalised_twice_is_the_same(text):
    once = normalise_number(text)

    assert normalise_number(once) == once
    assert normalise_number(text.upper()) == normalise_number(text.lower()) or "\u0345" in (
        unicodedata.normalize("NFKD", text)
    )
    assert normalise_number(shown_number(text)) == once


@given(TEXTS)
def test_number_of_claims_is_that_of_orders(text):
    assert normalised_by_claims(text) == normalise_number(text)


def test_number_of_claims_is_that_of_orders_for_each_character():
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]

    different = [
        each for each in characters if normalised_by_claims(each) != normalise_number(each)
    ]

    assert different == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{NUMBER}\u200b", NUMBER),
        (FULL_WIDTH, NUMBER),
        ("  1Z 999-AA \t", "1Z 999-AA"),
        ("1Z\u00a0999\r\n", "1Z 999"),
        ("JJ\u201312", "JJ\u201312"),
    ],
)
def test_number_is_shown_as_written_without_what_cannot_be_seen(text, shown):
    assert shown_number(text) == shown


@pytest.mark.parametrize(
    "shop", [NUMBER, f"{NUMBER}\u200b", FULL_WIDTH, f"#{NUMBER[:9]}:{NUMBER[9:]}"]
)
@pytest.mark.parametrize("carrier", [NUMBER, f"\u200e{NUMBER}", FULL_WIDTH, f"[{NUMBER}]"])
def test_shop_and_carrier_meet_in_each_spelling(shop, carrier):
    desk = Desk()
    desk.send(place())
    desk.send(attach(shop))

    decision = desk.send(report(scan("PICKED_UP_BY_CARRIER"), number=carrier))

    assert [event.event_name for event in decision.events] == ["PICKED_UP_BY_CARRIER"]
    assert len(desk.order().shipments) == 1


def test_second_spelling_of_a_number_is_the_same_parcel():
    desk = Desk()
    desk.send(place())
    desk.send(attach(NUMBER))

    desk.send(attach(f"{NUMBER}\u200b"))

    assert [each.tracking_number for each in desk.order().shipments] == [NUMBER]


@pytest.mark.parametrize("text", ["--", "\u200b\u2060", "#:()"])
def test_number_without_letter_and_digit_is_refused(text):
    desk = Desk()
    desk.send(place())

    for decision in (
        desk.send(attach(text)),
        desk.send(report(scan("PICKED_UP_BY_CARRIER"), number=text)),
    ):
        assert decision.reason is Reason.TRACKING_NUMBER_EMPTY
        assert "no letter and no digit" in decision.detail
