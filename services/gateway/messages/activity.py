"""Activities of a tracking page as records; each is accepted or refused alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from schemas.activity import PORTAL_ACTIVITY_TYPE, Activity, doubt_of_time
from schemas.envelope import rfc3339
from schemas.http import ACTIVITIES_MAX, JSON
from schemas.repair import RepairCode
from schemas.topics import PORTAL_ACTIVITY
from services.gateway.messages.records import Record, make_headers
from services.gateway.refusal import invalid
from services.runtime.clock import new_id
from services.runtime.incoming import default_key
from services.runtime.messages.blank_texts import without_blanks
from services.runtime.messages.json_codec import decode_json
from services.runtime.messages.records import FieldError, Malformed
from services.runtime.messages.repair import ItemWarning, RepairWarning, validate_repaired

USER_AGENT_MAX_CHARACTERS = 1_024


class RefusedItem(Struct, frozen=True, gc=False):
    """An activity that is not accepted; pointers are from the body."""

    index: int
    errors: Sequence[FieldError]


@dataclass(slots=True)
class ActivityReader:
    """Reads the activities of one request; `source` is that of its key.

    `user_agent` is that of the browser which sends the request; None where no browser does.
    """

    shop: str
    source: str
    traceparent: str | None
    user_agent: str | None
    now: datetime
    records: list[Record] = field(default_factory=list)
    refused: list[RefusedItem] = field(default_factory=list)

    def read(self, items: Sequence[Any]) -> None:
        """Sort the activities into `records` and `refused`.

        Raises:
            Refused: 422, none of them can be accepted.
        """
        for index, item in enumerate(items):
            try:
                self.records.append(self._record(index, item))
            except Malformed as malformed:
                self.refused.append(RefusedItem(index, malformed.under(f"/{index}").errors))
        if not self.records:
            raise invalid([error for each in self.refused for error in each.errors])

    def _record(self, index: int, item: Any) -> Record:
        if not isinstance(item, dict):
            raise _malformed("", "must be an object")
        if item.get("shop_slug") not in (None, "", self.shop):
            raise _malformed("/shop_slug", f"must be {self.shop}, or left out")
        body = without_blanks(item) | {"shop_slug": self.shop}
        activity, warnings = self._read(body)
        said = self._kept(activity).model_dump(mode="json", exclude_none=True)
        id_ = activity.activity_id or new_id()
        return Record(
            PORTAL_ACTIVITY,
            default_key(PORTAL_ACTIVITY_TYPE, said).encode(),
            self._headers(id_),
            msgspec.json.encode(said),
            id_,
            [ItemWarning(index, each) for each in warnings],
        )

    def _read(self, body: Any) -> tuple[Activity, Sequence[RepairWarning]]:
        """An activity, without a time that is too far from now, and what was done with it."""
        activity, warnings = validate_repaired(Activity, body)
        doubt = doubt_of_time(activity.occurred_at, self.now)
        if doubt is None:
            return activity, warnings
        left_out = RepairWarning(RepairCode.VALUE_LEFT_OUT, "/occurred_at", doubt)
        return activity.model_copy(update={"occurred_at": None}), [*warnings, left_out]

    def _kept(self, activity: Activity) -> Activity:
        """What is published: no session without consent, and the browser where it is known."""
        changes: dict[str, Any] = {}
        if not activity.consent:
            changes["session_id"] = None
        if activity.user_agent is None and self.user_agent:
            changes["user_agent"] = self.user_agent[:USER_AGENT_MAX_CHARACTERS]
        return activity.model_copy(update=changes)

    def _headers(self, id_: str) -> tuple[tuple[str, bytes], ...]:
        return make_headers(
            id_=id_,
            source=self.source,
            type_=PORTAL_ACTIVITY_TYPE,
            time=rfc3339(self.now),
            content_type=JSON,
            traceparent=self.traceparent,
        )


def read_items(body: bytes) -> Sequence[Any]:
    """The activities in a body: one, or a list of 1 to ACTIVITIES_MAX.

    Raises:
        Refused: 422, the body is no such JSON.
    """
    try:
        found = decode_json(body)
    except Malformed as malformed:
        raise invalid(malformed.errors) from None
    items = found if isinstance(found, list) else [found]
    if not 1 <= len(items) <= ACTIVITIES_MAX:
        message = f"a request has 1 to {ACTIVITIES_MAX} activities, not {len(items)}"
        raise invalid([FieldError("", message)])
    return items


def _malformed(pointer: str, message: str) -> Malformed:
    return Malformed("invalid_fields", (FieldError(pointer, message),))
