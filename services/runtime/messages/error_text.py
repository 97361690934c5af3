"""Says of a field that breaks the contract what it must be, and what kind of value it has.

The texts are for senders: they use the words of JSON, and quote no value, as it may be personal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from schemas.patterns import IN_WORDS
from schemas.repair import kind_of

# By type of the error in pydantic. Braces name what pydantic's context has.
_MUST_BE = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID, like 38b24d6a-9cdd-5a7c-9f32-5c05b4ab4845",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
}
"""Errors for which the kind of the value says what is wrong."""

_MUST_HAVE = {
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "int_from_float": "must be a whole number, without a fraction",
    "string_too_long": "must have at most {max_length:,} characters",
    "too_short": "must have at least {min_length:,} entry",
    "too_long": "must have at most {max_length:,} entries",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le:,}",
}


def expected_of(error: ErrorDetails) -> str:
    """What the field must be; the text of pydantic where there is no better one."""
    context: Mapping[str, Any] = error.get("ctx", {})
    found = error["type"]
    if found == "string_pattern_mismatch":
        return IN_WORDS.get(context["pattern"], error["msg"])
    if found == "string_too_short" and context["min_length"] == 1:
        return "must not be empty"
    text = _MUST_BE.get(found) or _MUST_HAVE.get(found)
    return text.format_map(context) if text else error["msg"]


def text_of(error: ErrorDetails) -> str:
    """What the field must be and, where that says more, what kind of value it has."""
    expected = expected_of(error)
    if error["type"] in _MUST_BE:
        return f"{expected}, not {kind_of(error['input'])}"
    return expected
