"""Brings texts into Unicode normal form C.

Systems write one name in two forms (`é` as one character or as two), and compare them by bytes.
Names of orders and products that differ by form only are the same.
"""

from __future__ import annotations

import re
from typing import Any
from unicodedata import is_normalized, normalize

# Texts of characters below U+0300 are in the form.
has_high_escape = re.compile(rb"\\u(?:0[3-9]|[1-9a-f])", re.IGNORECASE).search
"""Find an escape of a character that may be in another form, in a JSON document."""


def in_normal_form(value: Any) -> Any:
    """Return a copy of decoded JSON with its texts in form C; names of members stay as they are."""
    if isinstance(value, str):
        return value if is_normalized("NFC", value) else normalize("NFC", value)
    if isinstance(value, dict):
        return {name: in_normal_form(member) for name, member in value.items()}
    if isinstance(value, list):
        return [in_normal_form(each) for each in value]
    return value
