"""Change single settings of topics; all others stay as they are.

aiokafka 0.14 has only AlterConfigs, which resets each setting that the request does not name. The
request IncrementalAlterConfigs (Kafka 2.3) is defined here with aiokafka's protocol types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

_TOPIC = 2
_SET = 0


class _Response(Response):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _Struct(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _IncrementalAlterConfigsRequest(Request[_Struct]):  # type: ignore[misc]
    API_KEY = 44

    def __init__(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        self._changes = changes

    def build(self, request_struct_class: type[_Struct]) -> _Struct:
        resources = [
            (_TOPIC, topic, [(name, _SET, value) for name, value in settings.items()])
            for topic, settings in self._changes.items()
        ]
        return request_struct_class(resources, False)  # noqa: FBT003 - not only validated


async def set_topic_settings(
    admin: Any, changes: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, int, str]]:
    """Set settings of topics; returns name, error code and message of each topic.

    Uses the private request method of the admin client.

    Raises:
        KafkaError: no broker answers.
    """
    answer = await admin._send_request(  # noqa: SLF001 - sends what aiokafka has no method for
        _IncrementalAlterConfigsRequest(changes)
    )
    return [(name, code, message or "") for code, message, _, name in answer.resources]
