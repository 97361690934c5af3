"""JSON Schemas of the parts of Kubernetes' objects that values of the chart hold."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
_DNS = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
NAME: Schema = {"type": "string", "pattern": rf"^{_DNS}(\.{_DNS})*$", "maxLength": 253}
KEY: Schema = {"type": "string", "pattern": r"^[A-Za-z0-9._-]+$", "maxLength": 253}
HOST: Schema = {"type": "string", "pattern": rf"^((\*\.)?{_DNS}(\.{_DNS})*)?$"}
_PART = "[a-z0-9]+([._-]+[a-z0-9]+)*"
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
NETWORK: Schema = {
    "type": "string",
    "pattern": rf"^({_OCTET}(\.{_OCTET}){{3}}/([12]?[0-9]|3[0-2])"
    "|[0-9a-fA-F]*:[0-9a-fA-F:.]*/([1-9]?[0-9]|1[01][0-9]|12[0-8]))$",
}
_WORD = "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
LABELS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": rf"^({_DNS}(\.{_DNS})*/)?{_WORD}$"},
    "additionalProperties": {"type": "string", "pattern": f"^({_WORD})?$", "maxLength": 63},
}
REPOSITORY: Schema = {
    "description": "Image without tag and digest, which have values of their own.",
    "type": "string",
    "pattern": rf"^([A-Za-z0-9.-]+(:[0-9]+)?/)?{_PART}(/{_PART})*$",
}
TAG: Schema = {"type": "string", "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$"}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}
_TEXT_LIST: Schema = {"type": "array", "items": TEXT}
_WEIGHT: Schema = {"type": "integer", "minimum": 1, "maximum": 100}
_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"]


def closed(properties: Schema, *required: str) -> Schema:
    """An object with these names alone."""
    found = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": list(required)} if required else found


def list_of(items: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": items}


def definitions() -> dict[str, Schema]:
    """Schemas by name, for `#/definitions`."""
    return {
        "resources": _resources(),
        "toleration": _toleration(),
        "labelSelector": _selector("matchLabels", LABELS, _OPERATORS),
        "affinity": _affinity(),
        "peer": _peer(),
        "egress": _egress(),
    }


def ref(name: str) -> Schema:
    """A reference to one of `definitions`."""
    return {"$ref": f"#/definitions/{name}"}


def _resources() -> Schema:
    quantity = {
        "anyOf": [
            {"type": "number", "minimum": 0},
            {
                "type": "string",
                "pattern": r"^[0-9]+(\.[0-9]+)?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
            },
        ]
    }
    amounts = {"type": "object", "additionalProperties": quantity}
    claims = list_of(closed({"name": TEXT, "request": TEXT}, "name"))
    return closed({"limits": amounts, "requests": amounts, "claims": claims})


def _toleration() -> Schema:
    return closed(
        {
            "key": TEXT,
            "operator": {"enum": ["Exists", "Equal"]},
            "value": TEXT,
            "effect": {"enum": ["", "NoSchedule", "PreferNoSchedule", "NoExecute"]},
            "tolerationSeconds": {"type": "integer"},
        }
    )


def _selector(name: str, matched: Schema, operators: list[str]) -> Schema:
    expression = closed(
        {"key": TEXT, "operator": {"enum": operators}, "values": _TEXT_LIST}, "key", "operator"
    )
    return closed({name: matched, "matchExpressions": list_of(expression)})


def _affinity() -> Schema:
    operators = [*_OPERATORS, "Gt", "Lt"]
    fields = list_of(
        closed({"key": TEXT, "operator": {"enum": operators}, "values": _TEXT_LIST}, "key")
    )
    node = _selector("matchFields", fields, operators)
    required = closed({"nodeSelectorTerms": list_of(node)}, "nodeSelectorTerms")
    return closed(
        {
            "nodeAffinity": _wanted(required, "preference", node),
            "podAffinity": _wanted(list_of(_near()), "podAffinityTerm", _near()),
            "podAntiAffinity": _wanted(list_of(_near()), "podAffinityTerm", _near()),
        }
    )


def _wanted(required: Schema, name: str, term: Schema) -> Schema:
    preferred = closed({"weight": _WEIGHT, name: term}, "weight", name)
    return closed(
        {
            "requiredDuringSchedulingIgnoredDuringExecution": required,
            "preferredDuringSchedulingIgnoredDuringExecution": list_of(preferred),
        }
    )


def _near() -> Schema:
    return closed(
        {
            "labelSelector": ref("labelSelector"),
            "topologyKey": TEXT,
            "namespaces": _TEXT_LIST,
            "namespaceSelector": ref("labelSelector"),
            "matchLabelKeys": _TEXT_LIST,
            "mismatchLabelKeys": _TEXT_LIST,
        },
        "topologyKey",
    )


def _peer() -> Schema:
    block = closed({"cidr": NETWORK, "except": list_of(NETWORK)}, "cidr")
    selector = ref("labelSelector")
    return closed({"podSelector": selector, "namespaceSelector": selector, "ipBlock": block})


def _egress() -> Schema:
    number = {"type": "integer", "minimum": 1, "maximum": 65535}
    named = {"type": "string", "pattern": "[a-z]"}
    protocol = {"enum": ["TCP", "UDP", "SCTP"]}
    port = closed({"port": {"anyOf": [number, named]}, "endPort": number, "protocol": protocol})
    return closed({"ports": list_of(port), "to": list_of(ref("peer"))})
