"""Texts of a message in Unicode normal form C, however its JSON spells them."""

import json
from datetime import UTC, datetime
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.messages.json_codec import decode_json
from services.runtime.messages.records import Coordinates, Original, read_message

NOW = datetime(2026, 3, 1, tzinfo=UTC)
# What JSON cannot carry, or Postgres not store, is refused before.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


def read(body, *, is_ascii):
    value = json.dumps(body, ensure_ascii=is_ascii).encode()
    original = Original(Coordinates("orders.commands", 0, 1), None, (), value, NOW)
    return read_message(original, is_normalizing=True).body


@pytest.mark.parametrize("is_ascii", [False, True])
@given(text=TEXTS)
def test_texts_in_any_form_are_read_in_one(is_ascii, text):
    forms = {normalize(form, text) for form in ("NFC", "NFD")} | {text}

    found = {read({"a": [{"b": each}]}, is_ascii=is_ascii)["a"][0]["b"] for each in forms}

    assert found == {normalize("NFC", text)}


@pytest.mark.parametrize("is_ascii", [False, True])
@pytest.mark.parametrize("text", ["Muller", "Müller", "Łódź", "5 €", "日本", "a\\b\n"])
def test_message_in_the_form_is_left_as_it_is(text, is_ascii):
    assert read({"name": text}, is_ascii=is_ascii) == {"name": text}


def test_names_of_members_keep_their_form():
    decomposed = "u\u0308ber"

    found = read({decomposed: decomposed}, is_ascii=False)

    assert found == {decomposed: "über"}


def test_message_of_another_topic_keeps_its_form():
    decomposed = "u\u0308ber"
    value = json.dumps({"a": decomposed}).encode()

    assert decode_json(value) == {"a": decomposed}
