"""Texts of white space only in a message, however its JSON spells them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.messages.blank_texts import has_blank, without_blanks

SPACES = [char for char in map(chr, range(0x10000)) if char.isspace()]
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@pytest.mark.parametrize("is_ascii", [False, True])
@pytest.mark.parametrize("indent", [None, 2])
@given(blank=st.text(SPACES, min_size=1, max_size=4), word=WORDS)
def test_text_of_white_space_is_found_and_emptied(is_ascii, indent, blank, word):
    body = {"a": [{word: blank}], "b": word, "c": 1}

    assert has_blank(json.dumps(body, ensure_ascii=is_ascii, indent=indent).encode())
    emptied = "" if word.isspace() else word
    assert without_blanks(body) == {"a": [{word: ""}], "b": emptied, "c": 1}


@pytest.mark.parametrize("body", [{}, {"a": ""}, {"a": " x"}, {"a": "\u3000 x "}, {"a b": "\\"}])
@pytest.mark.parametrize("is_ascii", [False, True])
def test_message_without_a_text_of_white_space_is_not_looked_into(body, is_ascii):
    assert not has_blank(json.dumps(body, ensure_ascii=is_ascii).encode())
    assert without_blanks(body) == body
