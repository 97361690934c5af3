"""Placeholders: what senders write where they have no value."""

from __future__ import annotations

from services.orders.domain.model.tracking_number import normalise_number

WORDS = {
    *("EMPTY", "FALSE", "MISSING", "NA", "NAN", "NIL", "NO", "NONE", "NOTAPPLICABLE"),
    *("NOTAVAILABLE", "NULL", "PENDING", "TBA", "TBC", "TBD", "TRUE", "UNDEFINED", "UNKNOWN"),
}
"""Words for "none", by their letters. They are quoted to their sender; other texts may be personal,
and are not."""


def is_placeholder_id(text: str) -> bool:
    """Whether a text in the place of an id is certainly none: a word for "none", or only zeros.

    Unlike tracking numbers, ids of shops may have letters only.
    """
    plain = normalise_number(text)
    return not plain.strip("0") or plain in WORDS
