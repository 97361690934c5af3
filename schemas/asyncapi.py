"""The AsyncAPI 3 document of the catalogue: what lies on which topic, for people and for tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from .commands import BulkFulfillment
from .envelope import (
    CE_DATASCHEMA,
    CE_ORDERVERSION,
    CE_SEQUENCE,
    CE_TYPE,
    HEADERS,
    OUTGOING_HEADERS,
)
from .example_files import Example, load_examples
from .model import ContractModel
from .outcomes import ITEM_REJECTED
from .schema_ids import schema_id
from .topics import (
    CATALOGUE,
    CLAIMS_OUTCOMES,
    DELIVERIES_OUTCOMES,
    EVENT_TOPICS,
    FEED,
    ORDERS_STATE,
    Topic,
)

VERSION = "1.0.0"
SCHEMA_REF = "#/components/schemas/{model}"
KAFKA_BINDING = "0.5.0"

Json = dict[str, Any]


def build() -> Json:
    """The whole document; the same catalogue gives the same document."""
    references, definitions = models_json_schema(
        [(model, "validation") for model in _models()], ref_template=SCHEMA_REF
    )
    payloads = {model: schema for (model, _), schema in references.items()}
    messages = {
        name: message
        for topic in CATALOGUE
        for name, message in _messages(topic, payloads, load_examples())
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Orderflow",
            "version": VERSION,
            "description": "Commands of shops and news of carriers in, events of orders, "
            "shipments and claims out. CloudEvents 1.0 in Kafka binary mode, JSON values.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in CATALOGUE} | _feed(),
        "operations": dict(_operation(topic) for topic in (*CATALOGUE, FEED)),
        "components": {"messages": messages, "schemas": definitions["$defs"]},
    }


def message_name(topic: Topic, type_: str) -> str:
    """The name of a message in the document; some types are on several topics."""
    if type_ == ITEM_REJECTED:
        return f"{topic.name}.item"
    prefix = _PREFIXES.get(topic.name)
    return f"{prefix}.{type_}" if prefix else type_


_PREFIXES = {
    CLAIMS_OUTCOMES: "claims",
    DELIVERIES_OUTCOMES: "deliveries",
    ORDERS_STATE: ORDERS_STATE,
}
"""Of topics whose types of messages are on another topic as well."""


def _models() -> Iterable[type[ContractModel]]:
    found = {model: None for topic in CATALOGUE for model in topic.models.values()}
    return [*found, BulkFulfillment]


def _channel(topic: Topic) -> Json:
    keeps = f"Kept: {topic.kept}."
    personal = "Holds personal data." if topic.personal_data else "Holds no personal data."
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{topic.meaning}. Key: {topic.key}. {keeps} {personal} "
        f"Written by {', '.join(topic.writers)}; read by {', '.join(topic.readers)}.",
        "messages": {
            message_name(topic, type_): {
                "$ref": f"#/components/messages/{message_name(topic, type_)}"
            }
            for type_ in topic.models
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup_policy],
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": topic.max_message_bytes,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _feed() -> Json:
    """The channel of feeds: its messages are those of the event topics."""
    return {FEED.name: _channel(FEED) | {"parameters": {"slug": {"description": "The shop"}}}}


def _operation(topic: Topic) -> tuple[str, Json]:
    action = "receive" if topic.incoming else "send"
    verb = "Read" if topic.incoming else "Publish"
    return f"{action}.{topic.name}", {
        "action": action,
        "title": f"{verb} {topic.name}",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [
            {"$ref": f"#/channels/{topic.name}/messages/{message_name(topic, type_)}"}
            for type_ in topic.models
        ],
    }


def _messages(
    topic: Topic, payloads: Mapping[Any, Json], examples: Iterable[Example]
) -> Iterable[tuple[str, Json]]:
    for type_, model in topic.models.items():
        shown = [e for e in examples if e.topic == topic.name and e.type == type_]
        yield (
            message_name(topic, type_),
            {
                "name": type_,
                "title": type_,
                "summary": _plain(model.__doc__ or ""),
                "contentType": "application/json",
                "headers": _headers(topic, type_),
                "payload": payloads[model],
                "bindings": {"kafka": {"key": _key(topic), "bindingVersion": KAFKA_BINDING}},
                "examples": [
                    {"name": e.case, "headers": e.headers, "payload": e.value} for e in shown
                ],
            },
        )


def _plain(docstring: str) -> str:
    """Text without marks: of a message only its description may have some."""
    return " ".join(docstring.replace("`", "").split())


def _key(topic: Topic) -> Json:
    return {"type": "string", "description": topic.key}


def _headers(topic: Topic, type_: str) -> Json:
    if topic.incoming:
        names, required = dict(HEADERS), [CE_TYPE]
    else:
        names, required = dict(OUTGOING_HEADERS), [CE_TYPE, "ce_id", "ce_source", "ce_time"]
    if topic.name in (*EVENT_TOPICS, ORDERS_STATE):
        required += [CE_SEQUENCE, CE_ORDERVERSION]
    elif not topic.incoming:
        names = {n: t for n, t in names.items() if n not in {CE_SEQUENCE, CE_ORDERVERSION}}
    properties: Json = {
        name: {"type": "string", "description": text} for name, text in names.items()
    }
    properties[CE_TYPE]["const"] = type_
    if CE_DATASCHEMA in properties:
        properties[CE_DATASCHEMA] |= {"format": "uri", "const": schema_id(type_)}
    return {"type": "object", "properties": properties, "required": sorted(required)}
