"""Refused: a request that is not accepted, with what its sender reads."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.runtime.messages.records import FieldError

RETRY_SECONDS = 5
"""After so long a sender tries again, where only Kafka or the database is in the way."""


class Refused(Exception):
    """A request is refused: status, reason code, a sentence, and the errors of fields.

    None of it repeats a body, a key or a signature.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))


def unauthorized(reason: str, detail: str) -> Refused:
    """The sender is not known: 401."""
    return Refused(401, reason, detail)


def unavailable(reason: str, detail: str, retry_after: float = RETRY_SECONDS) -> Refused:
    """The request may be right, and cannot be accepted at this moment: 503."""
    return Refused(503, reason, detail, retry_after=retry_after)


def invalid(errors: Sequence[FieldError]) -> Refused:
    """The body is not one that can be taken: 422, with a JSON pointer for each error."""
    return Refused(422, "invalid_body", "nothing was accepted: correct the fields", errors=errors)
