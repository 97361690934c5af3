"""What became of what was sent: one outcome per command item, one record per refusal."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from .model import ContractModel, about

APPLIED = "applied"
NO_CHANGE = "no_change"
REJECTED = "rejected"

COMMAND_DECIDED = "command.decided"
ITEM_REJECTED = "item.rejected"

WHEN = "2026-03-01T09:30:06.120Z"
ORDER = "9d0f3a52-5d0c-5b3b-9d4e-6a6f5b6c0d11"
CLAIM = "3f6c1a77-4a0e-5f55-8a31-0c8f0f3b7e21"


WARNINGS_MAX = 20
"""How many warnings one outcome shows."""


class OutcomeWarning(ContractModel):
    """Something doubtful in an item, for which the item was not refused."""

    code: Annotated[str, about("Warning code", "value_left_out")]
    pointer: Annotated[
        str,
        about("JSON pointer (RFC 6901) in the message; empty: the whole body", "/order/weight"),
    ]
    detail: Annotated[str, about("What was found, and what was done", "NaN is left out")]


class OutcomeRecord(ContractModel):
    """What one item of a command became. Published once it is final; waiting is not."""

    command_id: Annotated[
        str, about("The command's ce_id, or topic/partition/offset without one", "cmd-1001")
    ]
    command_source: Annotated[str | None, about("The command's ce_source", "/shops/demo-shop")] = (
        None
    )
    index: Annotated[int, about("Place in a bulk command, from 0; else 0", 0)]
    command_type: Annotated[str | None, about("Type of the command", "order.upsert")] = None
    outcome: Annotated[str, about("applied, no_change or rejected", "applied")]
    reason: Annotated[str | None, about("Reason code, if not applied", "stale")] = None
    detail: Annotated[str | None, about("The reason in words", "version 2 is behind 3")] = None
    shop_slug: Annotated[str | None, about("The shop", "demo-shop")] = None
    order_id: Annotated[UUID | None, about("The order, if it could be told", ORDER)] = None
    order_number: Annotated[str | None, about("Its number", "1001")] = None
    order_version: Annotated[int | None, about("The order's version afterwards", 2)] = None
    topic: Annotated[str, about("Topic the command lay on", "orders.commands")]
    partition: Annotated[int, about("Its partition", 3)]
    offset: Annotated[int, about("Its offset", 4711)]
    decided_at: Annotated[AwareDatetime, about("When it was decided", WHEN)]
    warnings: Annotated[
        list[OutcomeWarning],
        about(
            f"What was doubtful, whatever the outcome: the first {WARNINGS_MAX}; absent: nothing",
            [{"code": "value_left_out", "pointer": "/order/weight", "detail": "NaN is left out"}],
        ),
    ] = Field(default_factory=list)
    warnings_left_out: Annotated[
        int, about(f"How many warnings there are beyond {WARNINGS_MAX}; absent: none", 3)
    ] = 0
    campaign_id: Annotated[
        str | None,
        about("Of a command of a campaign, discount or test: the id of it", "spring"),
    ] = None
    claim_id: Annotated[
        UUID | None,
        about("Of a claim command: the claim that it opened, changed, repeated or names", CLAIM),
    ] = None


class FieldError(ContractModel):
    """One thing wrong with one field."""

    pointer: Annotated[
        str, about("JSON pointer (RFC 6901); empty: the whole body", "/order/address/zip_code")
    ]
    message: Annotated[str, about("What is wrong, and what would be right", "Field required")]


class OriginalValue(ContractModel):
    """The refused value: as text if it is UTF-8, else base64."""

    encoding: Annotated[str, about("utf-8 or base64", "utf-8")]
    value: Annotated[str, about("The value", '{"shop_slug":"demo-shop"}')]


class RejectedRecord(ContractModel):
    """Why an item was refused, where it came from, and the original."""

    reason: Annotated[str, about("Reason code", "invalid_fields")]
    detail: Annotated[str, about("The reason in words", "/id: Field required")]
    errors: Annotated[
        list[FieldError], about("Each field", [{"pointer": "/id", "message": "Field required"}])
    ]
    topic: Annotated[str, about("Topic it lay on", "orders.commands")]
    partition: Annotated[int, about("Its partition", 3)]
    offset: Annotated[int, about("Its offset", 4712)]
    index: Annotated[int, about("Place in a bulk message, from 0; else 0", 0)]
    key: Annotated[str | None, about("The message's key, unreadable bytes replaced", "demo/1")] = (
        None
    )
    ce_id: Annotated[str | None, about("The message's ce_id", "cmd-1002")] = None
    ce_source: Annotated[str | None, about("The message's ce_source", "/shops/demo-shop")] = None
    ce_type: Annotated[str | None, about("The message's type", "order.upsert")] = None
    rejected_at: Annotated[AwareDatetime, about("When it was refused", WHEN)]
    original: Annotated[
        OriginalValue | None,
        about(
            "The value; absent if large: kept by the service", {"encoding": "utf-8", "value": ""}
        ),
    ] = None
    original_sha256: Annotated[
        str | None,
        about("Digest of the value, hexadecimal", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4"),
    ] = None
    original_size_bytes: Annotated[int | None, about("Size of it", 412, unit="bytes")] = None
    original_headers: Annotated[
        list[tuple[str, str]], about("Headers: name, value in base64", [["ce_id", "Y21kLTEwMDI="]])
    ]
