"""`values.schema.json` of the chart: every setting of the code with its bounds, and the values."""

from __future__ import annotations

from collections.abc import Iterable

from services import registry
from tools.chart.objects import (
    DURATION,
    HOST,
    KEY,
    LABELS,
    NAME,
    NETWORK,
    REPOSITORY,
    TAG,
    TEXT,
    Schema,
    closed,
    definitions,
    list_of,
    ref,
)
from tools.chart.variables import Variable, variables

SAME_EVERYWHERE = ("KAFKA_TOPIC_PREFIX", "KAFKA_PARTITIONS", "KAFKA_REPLICATION_FACTOR")
"""Settings that cannot differ between services."""
_BOOLEAN: Schema = {"type": "boolean"}
_MAP: Schema = {"type": "object"}
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_SECONDS: Schema = {"type": "integer", "minimum": 1}
_PORT: Schema = {"type": "integer", "minimum": 1024, "maximum": 65535}


def values_schema() -> Schema:
    """The JSON Schema (draft 7) of the chart's values; unknown names are refused everywhere."""
    names = registry.names()
    jobs = {name: _job() for name in ("migrate", "topics")}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart orderflow (written by python -m tools.chart)",
        "definitions": {
            **_setting_definitions(),
            **definitions(),
            "reference": _reference(),
            "file": _file(is_directory=False),
            "directory": _file(is_directory=True),
            "keda": _keda(),
            "podDisruptionBudget": _budget(),
        },
        **closed(
            {
                "nameOverride": TEXT,
                "fullnameOverride": TEXT,
                "commonLabels": LABELS,
                "image": _image(),
                "settings": _one_of_map(variables()),
                "secretsAs": {"enum": ["files", "environment"]},
                "secrets": _secrets(),
                "files": _files(),
                "mounts": _mounts(),
                "ports": closed({"health": _PORT, "gateway": _PORT}),
                "defaults": closed(_workload(keda=_keda_of_service())),
                "services": closed({name: _service(name) for name in names}),
                **jobs,
                "keda": _keda_of_all(),
                "networkPolicy": _network_policy(),
                "serviceAccount": closed({"annotations": _TEXTS}),
                "monitoring": _monitoring(),
                "global": _MAP,
            }
        ),
    }


def _setting_definitions() -> Schema:
    return {each.name: each.allowed for each in variables() if each.kind == "value"}


def _one_of_map(allowed: Iterable[Variable]) -> Schema:
    """A map of settings. Those that are no values pass here: a template refuses them by name."""
    return closed(
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
    return closed({each.name: reference for each in variables() if each.kind == "secret"})


def _files() -> Schema:
    return closed(
        {
            each.name: {"$ref": f"#/definitions/{each.kind}"}
            for each in variables()
            if each.kind in {"file", "directory"}
        }
    )


def _reference() -> Schema:
    return {
        "description": "A key of an existing Secret.",
        **closed({"name": NAME, "key": KEY}, "name", "key"),
    }


def _file(*, is_directory: bool) -> Schema:
    held = "All keys of" if is_directory else "A key of"
    key = {} if is_directory else {"key": KEY}
    return {
        "description": f"{held} an existing Secret or ConfigMap.",
        **closed({"secret": NAME, "configMap": NAME, **key}, *key),
        "oneOf": [{"required": ["secret"]}, {"required": ["configMap"]}],
    }


def _mounts() -> Schema:
    path = {"type": "string", "pattern": "^/run(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$"}
    keys = {**list_of(KEY), "minItems": 1}
    entry = closed({"secret": NAME, "configMap": NAME, "keys": keys, "path": path}, "path")
    entry["oneOf"] = [{"required": ["secret"]}, {"required": ["configMap"]}]
    return {"type": "array", "items": entry}


def _image() -> Schema:
    return closed(
        {
            "repository": REPOSITORY,
            "tag": TAG,
            "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
            "pullSecrets": list_of(closed({"name": NAME}, "name")),
        }
    )


def _budget() -> Schema:
    share = {"type": "string", "pattern": "^([1-9][0-9]?|100)%$"}
    return closed(
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
        "resources": ref("resources"),
        "podDisruptionBudget": {"$ref": "#/definitions/podDisruptionBudget"},
        "terminationGracePeriodSeconds": _SECONDS,
        "topologySpread": closed(
            {"whenUnsatisfiable": {"enum": ["DoNotSchedule", "ScheduleAnyway"]}}
        ),
        "nodeSelector": LABELS,
        "tolerations": list_of(ref("toleration")),
        "affinity": ref("affinity"),
        "priorityClassName": TEXT,
        "podAnnotations": _TEXTS,
        "podLabels": LABELS,
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
        own["service"] = closed(
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
    return closed(own)


def _ingress() -> Schema:
    return closed(
        {
            "enabled": _BOOLEAN,
            "className": TEXT,
            "host": HOST,
            "tlsSecret": TEXT,
            "annotations": _TEXTS,
        }
    )


def _job() -> Schema:
    return closed(
        {
            "enabled": _BOOLEAN,
            "settings": _one_of_map(each for each in variables() if each.owner is None),
            "secrets": _secrets(),
            "files": _files(),
            "resources": ref("resources"),
            "backoffLimit": {"type": "integer", "minimum": 0},
            "ttlSecondsAfterFinished": {"type": "integer", "minimum": 0},
            "arguments": {"type": "array", "items": TEXT},
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
    return closed(_keda())


def _keda_of_all() -> Schema:
    return closed(
        {
            "pollingIntervalSeconds": {"type": "integer", "minimum": 5},
            "scaleUpStabilizationSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
            "scaleDownStabilizationSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
            "triggerAuthentication": TEXT,
        }
    )


def _network_policy() -> Schema:
    ports = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}}
    peers = closed({"ports": {**ports, "minItems": 1}, "to": list_of(ref("peer"))})
    return closed(
        {
            "enabled": _BOOLEAN,
            "kafka": peers,
            "postgres": peers,
            "dns": closed({"to": list_of(ref("peer"))}),
            "webhooks": closed({"except": list_of(NETWORK)}),
            "traces": peers,
            "extraEgress": list_of(ref("egress")),
            "metricsFrom": list_of(ref("peer")),
            "gatewayFrom": list_of(ref("peer")),
        }
    )


def _monitoring() -> Schema:
    option = closed({"enabled": _BOOLEAN, "labels": LABELS})
    return closed(
        {
            "service": closed({"enabled": _BOOLEAN}),
            "podMonitor": closed({"enabled": _BOOLEAN, "labels": LABELS, "interval": DURATION}),
            "rules": option,
            "dashboards": option,
        }
    )
