"""Texts of white space only, which shop systems send for null: they become empty texts."""

from __future__ import annotations

import re
from typing import Any

# The white space of `str.isspace`, as JSON in UTF-8 has it.
BLANK = re.compile(
    rb'"(?: |\\[tnrf]'
    rb"|\\u(?:00(?:09|0[a-d]|1[c-f]|20|85|a0)|1680|20(?:0[0-9a]|2[89f]|5f)|3000)"
    rb"|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
    rb')+"',
    re.IGNORECASE,
)
"""A text of white space only, with its quotes."""


def has_blank(document: bytes | None) -> bool:
    """Whether a JSON document may have a text of white space only.

    Such a text begins with a space, an escape or a character that is not ASCII: most documents are
    not searched.
    """
    document = document or b""
    may_have = b'" ' in document or b'"\\' in document or not document.isascii()
    return may_have and BLANK.search(document) is not None


def without_blanks(value: Any) -> Any:
    """A copy of decoded JSON in which texts of white space only are empty."""
    if isinstance(value, str):
        return "" if value.isspace() else value
    if isinstance(value, dict):
        return {name: without_blanks(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_blanks(each) for each in value]
    return value
