"""`values.schema.json` of the chart: every setting of the code with its bounds, and the values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services import registry
from tools.chart.variables import Variable, variables

Schema = dict[str, Any]
SAME_EVERYWHERE = ("KAFKA_TOPIC_PREFIX", "KAFKA_PARTITIONS", "KAFKA_REPLICATION_FACTOR")
"""Settings that cannot differ between services."""
_TEXT: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_MAP: Schema = {"type": "object"}
_LIST: Schema = {"type": "array", "items": {"type": "object"}}
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_SECONDS: Schema = {"type": "integer", "minimum": 1}
_PORT: Schema = {"type": "integer", "minimum": 1024, "maximum": 65535}
_NAME: Schema = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", "maxLength": 253}


def values_schema() -> Schema:
    """The JSON Schema (draft 7) of the chart's values; unknown names are refused everywhere."""
    names = registry.names()
    jobs = {name: _job() for name in ("migrate", "topics")}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart orderflow (written by python -m tools.chart)",
        "definitions": {
            **_setting_definitions(),
            "reference": _reference(),
            "file": _file(is_directory=False),
            "directory": _file(is_directory=True),
            "keda": _keda(),
            "podDisruptionBudget": _budget(),
        },
        **_closed(
            {
                "nameOverride": _TEXT,
                "fullnameOverride": _TEXT,
                "commonLabels": _TEXTS,
                "image": _image(),
                "settings": _one_of_map(variables()),
                "secretsAs": {"enum": ["files", "environment"]},
                "secrets": _secrets(),
                "files": _files(),
                "mounts": _mounts(),
                "ports": _closed({"health": _PORT, "gateway": _PORT}),
                "defaults": _closed(_workload(keda=_keda_of_service())),
                "services": _closed({name: _service(name) for name in names}),
                **jobs,
                "keda": _keda_of_all(),
                "networkPolicy": _network_policy(),
                "serviceAccount": _closed({"annotations": _TEXTS}),
                "monitoring": _monitoring(),
                "global": _MAP,
            }
        ),
    }


def _closed(properties: Schema, *required: str) -> Schema:
    closed = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**closed, "required": list(required)} if required else closed


def _setting_definitions() -> Schema:
    return {each.name: each.allowed for each in variables() if each.kind == "value"}


def _one_of_map(allowed: Iterable[Variable]) -> Schema:
    """A map of settings. Those that are no values pass here: a template refuses them by name."""
    return _closed(
        {
            each.name: {"$ref": f"#/definitions/{each.name}"} if each.kind == "value" else {}
            for each in allowed
        }
    )


def _own_settings(service: str) -> Schema:
    return _one_of_map(
        each
        for each in variables()
        if each.owner in (None, service) and each.name not in SAME_EVERYWHERE
    )


def _secrets() -> Schema:
    reference = {"$ref": "#/definitions/reference"}
    return _closed({each.name: reference for each in variables() if each.kind == "secret"})


def _files() -> Schema:
    return _closed(
        {
            each.name: {"$ref": f"#/definitions/{each.kind}"}
            for each in variables()
            if each.kind in {"file", "directory"}
        }
    )


def _reference() -> Schema:
    return {
        "description": "A key of an existing Secret.",
        **_closed({"name": _NAME, "key": {"type": "string", "minLength": 1}}, "name", "key"),
    }


def _file(*, is_directory: bool) -> Schema:
    held = "All keys of" if is_directory else "A key of"
    key = {} if is_directory else {"key": {"type": "string", "minLength": 1}}
    return {
        "description": f"{held} an existing Secret or ConfigMap.",
        **_closed({"secret": _NAME, "configMap": _NAME, **key}, *key),
        "oneOf": [{"required": ["secret"]}, {"required": ["configMap"]}],
    }


def _mounts() -> Schema:
    path = {"type": "string", "pattern": "^/run/[a-z0-9][a-z0-9/._-]*$"}
    keys = {"type": "array", "items": _TEXT, "minItems": 1}
    entry = _closed({"secret": _NAME, "configMap": _NAME, "keys": keys, "path": path}, "path")
    entry["oneOf"] = [{"required": ["secret"]}, {"required": ["configMap"]}]
    return {"type": "array", "items": entry}


def _image() -> Schema:
    return _closed(
        {
            "repository": {"type": "string", "minLength": 1},
            "tag": _TEXT,
            "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
            "pullSecrets": _LIST,
        }
    )


def _budget() -> Schema:
    share = {"type": "string", "pattern": "^([1-9][0-9]?|100)%$"}
    return _closed(
        {
            "enabled": _BOOLEAN,
            "maxUnavailable": {"anyOf": [{"type": "integer", "minimum": 0}, share]},
            "minAvailable": {"type": "integer", "minimum": 1},
        }
    )


def _workload(*, keda: Schema) -> Schema:
    return {
        "replicas": {"type": "integer", "minimum": 1},
        "processes": {"type": "integer", "minimum": 1, "maximum": 64},
        "staticMembership": _BOOLEAN,
        "keda": keda,
        "resources": _MAP,
        "podDisruptionBudget": {"$ref": "#/definitions/podDisruptionBudget"},
        "terminationGracePeriodSeconds": _SECONDS,
        "topologySpread": _closed(
            {"whenUnsatisfiable": {"enum": ["DoNotSchedule", "ScheduleAnyway"]}}
        ),
        "nodeSelector": _TEXTS,
        "tolerations": _LIST,
        "affinity": _MAP,
        "priorityClassName": _TEXT,
        "podAnnotations": _TEXTS,
        "podLabels": _TEXTS,
    }


def _service(name: str) -> Schema:
    entry = registry.entry_of(name)
    own: Schema = {
        "enabled": _BOOLEAN,
        "settings": _own_settings(name),
        "secrets": _secrets(),
        "files": _files(),
        **_workload(keda=_keda_of_service()),
    }
    if not entry.consumes:
        del own["keda"], own["staticMembership"]
        own["service"] = _closed(
            {
                "type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
                "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                "annotations": _TEXTS,
            }
        )
        own["ingress"] = _ingress()
        own["preStopSeconds"] = {"type": "integer", "minimum": 0}
    if name == "deliveries":
        own["withoutWebhooks"] = _BOOLEAN
    return _closed(own)


def _ingress() -> Schema:
    return _closed(
        {
            "enabled": _BOOLEAN,
            "className": _TEXT,
            "host": _TEXT,
            "tlsSecret": _TEXT,
            "annotations": _TEXTS,
        }
    )


def _job() -> Schema:
    return _closed(
        {
            "enabled": _BOOLEAN,
            "settings": _one_of_map(each for each in variables() if each.owner is None),
            "secrets": _secrets(),
            "files": _files(),
            "resources": _MAP,
            "backoffLimit": {"type": "integer", "minimum": 0},
            "ttlSecondsAfterFinished": {"type": "integer", "minimum": 0},
            "arguments": {"type": "array", "items": _TEXT},
        }
    )


def _keda() -> Schema:
    return {
        "enabled": _BOOLEAN,
        "minReplicas": {"type": "integer", "minimum": 1},
        "maxReplicas": {"type": "integer", "minimum": 1},
        "lagThreshold": {"type": "integer", "minimum": 1},
    }


def _keda_of_service() -> Schema:
    return _closed(_keda())


def _keda_of_all() -> Schema:
    return _closed(
        {
            "pollingIntervalSeconds": {"type": "integer", "minimum": 5},
            "scaleUpStabilizationSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
            "scaleDownStabilizationSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
            "triggerAuthentication": _TEXT,
        }
    )


def _network_policy() -> Schema:
    ports = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}}
    peers = _closed({"ports": {**ports, "minItems": 1}, "to": _LIST})
    networks = {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-fA-F:.]+/[0-9]+$"}}
    return _closed(
        {
            "enabled": _BOOLEAN,
            "kafka": peers,
            "postgres": peers,
            "dns": _closed({"to": _LIST}),
            "webhooks": _closed({"except": networks}),
            "traces": peers,
            "extraEgress": _LIST,
            "metricsFrom": _LIST,
            "gatewayFrom": _LIST,
        }
    )


def _monitoring() -> Schema:
    option = _closed({"enabled": _BOOLEAN, "labels": _TEXTS})
    return _closed(
        {
            "service": _closed({"enabled": _BOOLEAN}),
            "podMonitor": _closed({"enabled": _BOOLEAN, "labels": _TEXTS, "interval": _TEXT}),
            "rules": option,
            "dashboards": option,
        }
    )
