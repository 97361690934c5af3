"""Which members of a message were not sent, of a pydantic model and of its twin alike."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

UNSAID = "unsaid_"
"""The twin's member that holds the answer, if the twin was asked to keep it."""


def unsaid(message: Any) -> frozenset[str]:
    """Names of the members that hold a default other than None because the sender left them out.

    Raises:
        AttributeError: the message is a twin, and its model is not among the `telling` ones.
    """
    if isinstance(message, BaseModel):
        left_out = type(message).model_fields.keys() - message.model_fields_set
        return frozenset(name for name in left_out if getattr(message, name) is not None)
    found: frozenset[str] = getattr(message, UNSAID)
    return found
