"""The OpenAPI 3.1 document of the gateway: what it takes over HTTP, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from . import http
from .activity import PORTAL_ACTIVITY_TYPE, PageActivity
from .example_files import Example, load_examples
from .model import ContractModel
from .topics import CARRIER_TRACKING, CLAIMS_COMMANDS, ORDERS_COMMANDS, TOPICS

VERSION = "1.0.0"
SCHEMA_REF = "#/components/schemas/{model}"
COMMAND_TOPICS = (ORDERS_COMMANDS, CLAIMS_COMMANDS)

Json = dict[str, Any]

REFUSALS: Mapping[int, str] = {
    400: "No valid HTTP, or the connection ended.",
    401: "No valid API key or signature.",
    403: "The key is of another shop, source, form or use, or the page of an origin that may not "
    "send.",
    404: "There is no such form or address.",
    405: "Another method.",
    408: "The request was sent too slowly.",
    413: "The body is too large: send less at once.",
    415: "Another media type, or an encoded body.",
    422: "The body is not one that can be taken; `errors` has pointers. Nothing was accepted.",
    431: "The headers are too large.",
    429: "Too much at once for this sender: try again after Retry-After.",
    503: "Not accepted at this moment, as Kafka does not answer: try again after Retry-After.",
}
_RETRIED = (429, 503)
_HEADERS: Mapping[str, str] = {
    "ce-id": "Your id of the command; a repeat has the same and changes nothing.",
    "ce-type": "Which command it is.",
    "ce-source": "The source of the API key, if it is sent at all.",
    "ce-time": "When it was sent (RFC 3339).",
    "ce-subject": "What it is about.",
    "ce-specversion": "1.0, if it is sent at all.",
}


def build() -> Json:
    """The whole document; the same catalogue gives the same document."""
    answers = (http.Accepted, http.AcceptedActivities, http.Problem)
    models: list[type[ContractModel]] = list(dict.fromkeys(model for _, model in _commands()))
    models += [*_tracking(), PageActivity, *answers]
    references, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=SCHEMA_REF
    )
    by_model = {model: schema for (model, _), schema in references.items()}
    schemas: Json = dict(definitions["$defs"])
    schemas |= {_event_name(kind): _event(kind, by_model[model]) for kind, model in _commands()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orderflow gateway",
            "version": VERSION,
            "description": "Commands of shops, activity of their tracking pages and tracking of "
            "carriers over HTTP. 202 means that all in-sync replicas of Kafka have the records; "
            "what became of a command is on the topics of outcomes.",
        },
        "paths": {
            "/shops/{shop}/commands": {"post": _shop_operation(by_model)},
            "/shops/{shop}/activity": {"post": _page_operation(by_model)},
            "/carriers/{dialect}": {"post": _carrier_operation(by_model)},
        },
        "components": {"schemas": schemas, "securitySchemes": _security_schemes()},
    }


def _commands() -> Iterable[tuple[str, type[ContractModel]]]:
    return [pair for topic in COMMAND_TOPICS for pair in TOPICS[topic].models.items()]


def _tracking() -> Sequence[type[ContractModel]]:
    return list(TOPICS[CARRIER_TRACKING].models.values())


def _event_name(kind: str) -> str:
    return f"event.{kind}"


def _event(kind: str, data: Json) -> Json:
    text = {"type": "string", "minLength": 1, "maxLength": 256}
    return {
        "title": kind,
        "description": f"A CloudEvent with the command {kind}.",
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "type": {"const": kind},
            "id": text | {"description": _HEADERS["ce-id"]},
            "source": text | {"description": _HEADERS["ce-source"]},
            "time": {"type": "string", "format": "date-time"},
            "subject": text,
            "traceparent": text,
            "data": data,
        },
        "required": ["type", "id", "data"],
    }


def _shop_operation(by_model: Mapping[Any, Json]) -> Json:
    kinds = [kind for kind, _ in _commands()]
    events = {"oneOf": [{"$ref": SCHEMA_REF.format(model=_event_name(kind))} for kind in kinds]}
    data = {"anyOf": [by_model[model] for _, model in _commands()]}
    shown = [each for each in load_examples() if each.type in kinds]
    parameters = [_path_parameter("shop", "The shop's slug; that of the API key.", "demo-shop")]
    parameters += [_header(name, text, kinds) for name, text in _HEADERS.items()]
    return {
        "operationId": "sendCommands",
        "summary": "Send commands of a shop as CloudEvents: one, or a batch.",
        "description": "A body is checked as the service that takes it would. Where one event of a "
        "batch is wrong, none is accepted.",
        "security": [{"key": []}, {"keyAsPassword": []}],
        "parameters": [*parameters, _traceparent()],
        "requestBody": {
            "required": True,
            "content": {
                http.JSON: {"schema": data, "examples": _examples(shown, _data)},
                http.STRUCTURED: {"schema": events, "examples": _examples(shown, _structured)},
                http.BATCH: {
                    "schema": {
                        "type": "array",
                        "items": events,
                        "minItems": 1,
                        "maxItems": http.EVENTS_MAX,
                    },
                    "examples": {"two": {"value": [_structured(each) for each in shown[:2]]}},
                },
            },
        },
        "responses": _responses(by_model),
    }


def _page_operation(by_model: Mapping[Any, Json]) -> Json:
    item = by_model[PageActivity]
    activities = {
        "oneOf": [
            item,
            {"type": "array", "items": item, "minItems": 1, "maxItems": http.ACTIVITIES_MAX},
        ]
    }
    body = {
        "schema": activities,
        "examples": _examples(load_examples(PORTAL_ACTIVITY_TYPE), _data),
    }
    text = "Some activities may be refused: `refused` says which and why."
    return {
        "operationId": "sendActivity",
        "summary": "Send what visitors of tracking pages saw and clicked: one activity, or a list.",
        "description": "A page sends it from the browser, with a key that may send activity alone. "
        f"A body has at most {http.ACTIVITY_BODY_MAX_BYTES:,} bytes. {text}",
        "security": [{"key": []}, {"keyInUrl": []}],
        "parameters": [
            _path_parameter("shop", "The shop's slug; that of the API key.", "demo-shop"),
            _traceparent(),
        ],
        "requestBody": {"required": True, "content": {http.JSON: body, http.TEXT: body}},
        "responses": _responses(by_model)
        | {"202": _answer(by_model[http.AcceptedActivities], "Kafka has the records. " + text)},
    }


def _carrier_operation(by_model: Mapping[Any, Json]) -> Json:
    own = {"anyOf": [*(by_model[model] for model in _tracking()), {}]}
    shown = [each for each in load_examples() if each.topic == CARRIER_TRACKING]
    return {
        "operationId": "sendTracking",
        "summary": "Send tracking in the form of its sender.",
        "description": "The body is put on Kafka as it is and read later: what cannot be read is "
        "on carrier.tracking.rejected. A sender signs the request, or has an API key.",
        "security": [
            {"key": []},
            {"keyAsPassword": []},
            {"keyOfUps": []},
            *({name: []} for name in _SIGNED),
        ],
        "parameters": [
            _path_parameter("dialect", "The form; `standard` is our own.", "standard"),
            _traceparent(),
        ],
        "requestBody": {
            "required": True,
            "content": {
                http.JSON: {"schema": own, "examples": _examples(shown, _data)},
                **{each: {"schema": {"type": "string"}} for each in http.XML_TYPES},
            },
        },
        "responses": {"200": _accepted(by_model, "As 202, for UPS.")} | _responses(by_model),
    }


def _path_parameter(name: str, text: str, example: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": {"type": "string"},
        "example": example,
    }


def _header(name: str, text: str, kinds: Sequence[str]) -> Json:
    schema: Json = {"type": "string", "maxLength": 256}
    if name == "ce-type":
        schema = {"type": "string", "enum": list(kinds)}
    note = " Of application/json; percent-encoded where it is not ASCII."
    return {"name": name, "in": "header", "description": text + note, "schema": schema}


def _traceparent() -> Json:
    return {
        "name": "traceparent",
        "in": "header",
        "description": "W3C trace context, handed on to what the message causes.",
        "schema": {"type": "string"},
    }


def _examples(shown: Iterable[Example], value: Any) -> Json:
    return {f"{each.type}.{each.case}": {"value": value(each)} for each in shown}


def _data(example: Example) -> Any:
    return example.value


def _structured(example: Example) -> Json:
    return {
        "specversion": "1.0",
        "type": example.type,
        "id": f"{example.type}-{example.case}",
        "data": example.value,
    }


def _accepted(by_model: Mapping[Any, Json], text: str) -> Json:
    return _answer(by_model[http.Accepted], text)


def _answer(schema: Json, text: str) -> Json:
    return {"description": text, "content": {http.JSON: {"schema": schema}}}


def _responses(by_model: Mapping[Any, Json]) -> Json:
    found: Json = {"202": _accepted(by_model, "All in-sync replicas of Kafka have the records.")}
    for status, text in REFUSALS.items():
        found[str(status)] = {
            "description": text,
            "content": {http.PROBLEM_TYPE: {"schema": by_model[http.Problem]}},
        }
        if status in _RETRIED:
            header = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
            found[str(status)]["headers"] = {"Retry-After": header}
    return found


_SIGNED: Mapping[str, tuple[str, str]] = {
    "aftership": ("aftership-hmac-sha256", "Base64 of HMAC-SHA256 of the body."),
    "easypost": ("X-Hmac-Signature", "`hmac-sha256-hex=` and the HMAC-SHA256 of the body."),
    "shippo": ("Shippo-Auth-Signature", "`t=<unix>,v1=<hex>`, as Karla-Signature."),
    "track17": ("sign", "SHA-256 of the body, a slash and the key."),
    "karla": (
        "Karla-Signature",
        "`t=<unix>,v1=<hex>`: HMAC-SHA256 of the time, a dot and the body; for 300 seconds.",
    ),
}


def _security_schemes() -> Json:
    signed = {
        name: {"type": "apiKey", "in": "header", "name": header, "description": text}
        for name, (header, text) in _SIGNED.items()
    }
    return {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, `ofk_…`."},
        "keyAsPassword": {
            "type": "http",
            "scheme": "basic",
            "description": "The API key as the password; any name.",
        },
        "keyInUrl": {
            "type": "apiKey",
            "in": "query",
            "name": "key",
            "description": "An API key that may send activity alone.",
        },
        "keyOfUps": {
            "type": "apiKey",
            "in": "header",
            "name": "credential",
            "description": "The API key, as UPS Track Alert sends it.",
        },
        **signed,
    }
