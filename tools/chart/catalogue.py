"""`files/catalogue.yaml` of the chart: what its templates know of services, topics and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orderflow.access_rules import consumer_group, read_by
from services import registry
from services.runtime.config.settings import Settings
from tools.chart.schema import values_schema
from tools.chart.variables import SET_BY_CHART, Variable, variables

_MAPS = ("settings", "secrets", "files")
_DEFAULTS = (
    "DRAIN_TIMEOUT_SECONDS",
    "KAFKA_HEARTBEAT_INTERVAL_MS",
    "KAFKA_PARTITIONS",
    "KAFKA_REBALANCE_TIMEOUT_MS",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SESSION_TIMEOUT_MS",
    "DELIVERIES_PORTS",
)


def catalogue(values: Mapping[str, Any]) -> dict[str, Any]:
    """Services with their topics; of each setting who reads it, how it is given, why it is not.

    Also which of `values`, those of values.yaml, a file may not take away.
    """
    every = variables()
    return {
        "services": {name: _service(name) for name in registry.names()},
        "owners": {each.name: each.owner for each in every if each.owner},
        "files": {each.name: each.kind for each in every if each.kind in {"file", "directory"}},
        "secrets": [each.name for each in every if each.kind == "secret"],
        "refused": {each.name: _refusal(each) for each in every if each.kind != "value"},
        "defaults": _defaults(),
        "values": list(_needed(values, values_schema())),
    }


def _needed(values: Mapping[str, Any], schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Paths of values that templates need; null in a file would take them away."""
    for key, value in values.items():
        allowed = schema["properties"][key]
        if key == "resources":
            continue
        if key in _MAPS or value not in ("", [], {}):
            yield path + key
        if isinstance(value, dict) and "properties" in allowed:
            yield from _needed(value, allowed, f"{path}{key}.")


def _service(name: str) -> dict[str, Any]:
    if not registry.entry_of(name).consumes:
        return {"consumes": False}
    return {"consumes": True, "group": consumer_group(name), "topics": list(read_by(name))}


def _refusal(each: Variable) -> str:
    if each.kind == "chart":
        return SET_BY_CHART[each.name]
    if each.kind == "secret":
        return f"a secret is never a value: name the Secret that holds it in secrets.{each.name}"
    return f"it names a file: say which Secret or ConfigMap holds it in files.{each.name}"


def _defaults() -> dict[str, Any]:
    """Defaults of settings that the templates compute with, by variable."""
    fields = {name.upper(): field for name, field in Settings.model_fields.items()}
    return {str(fields[name].validation_alias or name): fields[name].default for name in _DEFAULTS}
