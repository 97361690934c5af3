"""Answers: coordinates of accepted records, and problems (RFC 9457) of refused requests."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from schemas.http import PROBLEM_BASE, PROBLEM_TYPE
from services.gateway.messages.activity import RefusedItem
from services.gateway.publisher import Published
from services.gateway.refusal import Refused
from services.runtime.messages.records import FieldError


def accepted(published: Sequence[Published], status: int = 202) -> Response:
    """Every record is on Kafka: `status` is 202, or 200 for a sender that takes no other."""
    return _json(status, {"records": [_record(each) for each in published]})


def accepted_activities(published: Sequence[Published], refused: Sequence[RefusedItem]) -> Response:
    """The records are on Kafka; `refused` are the activities that are not."""
    body: dict[str, Any] = {"records": [_record(each) for each in published]}
    if refused:
        body["refused"] = [
            {"index": each.index, "errors": _errors(each.errors)} for each in refused
        ]
    return _json(202, body)


def _record(published: Published) -> dict[str, Any]:
    record = published.record
    found: dict[str, Any] = {
        "id": record.id,
        "topic": record.topic,
        "partition": published.partition,
        "offset": published.offset,
    }
    if record.warnings:
        found["warnings"] = [
            {
                "index": each.index,
                "code": each.warning.code,
                "pointer": each.warning.pointer,
                "detail": each.warning.detail,
            }
            for each in record.warnings
        ]
    return found


def problem(refused: Refused, *, is_open: bool) -> Response:
    """The answer for a refusal; the connection ends with it unless `is_open`."""
    body: dict[str, Any] = {
        "type": PROBLEM_BASE + refused.reason,
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "code": refused.reason,
        "detail": refused.detail,
    }
    if refused.errors:
        body["errors"] = _errors(refused.errors)
    headers = {} if is_open else {"connection": "close"}
    if refused.retry_after is not None:
        headers["retry-after"] = str(refused.retry_after)
    if refused.status == 401:
        headers["www-authenticate"] = 'Bearer realm="orderflow"'
    return _json(refused.status, body, PROBLEM_TYPE, headers)


def _errors(errors: Sequence[FieldError]) -> list[dict[str, str]]:
    return [{"pointer": each.pointer, "message": each.message} for each in errors]


def _json(
    status: int,
    body: object,
    media_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type)
