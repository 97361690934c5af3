"""How the chart gives each setting of the code to a pod."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic.fields import FieldInfo

from services import registry
from services.runtime.config.environment import is_secret, variable
from services.runtime.config.settings import Settings

Kind = Literal["value", "secret", "file", "directory", "chart"]
"""value: text in the environment; secret: key of a Secret; file, directory: mounted; chart: set by
the chart alone."""
MIGRATE = "migrate"
SET_BY_CHART = {
    "HTTP_HOST": "the chart sets it to 0.0.0.0",
    "HTTP_PORT": "the chart sets it to ports.health",
    "ORDERFLOW_GATEWAY_HOST": "the gateway listens where HTTP_HOST says, which the chart sets",
    "ORDERFLOW_GATEWAY_PORT": "the chart sets it to ports.gateway",
    "ORDERFLOW_GATEWAY_PORT_USE": "processes of one pod share the port without it",
    "KAFKA_GROUP_INSTANCE_ID": "staticMembership: true sets it to the name of the pod",
}
"""Settings that a value of the chart decides, and which."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its variable in the environment, and how the chart gives it."""

    name: str
    kind: Kind
    owner: str | None
    """The service, or `migrate`, that alone reads it; None: more than one. The address of a
    service's pooler is read by `migrate` too."""
    allowed: dict[str, Any]
    """JSON Schema of a value, with the meaning as its description."""


def variables() -> tuple[Variable, ...]:
    """Every setting of the code, in the order of the code."""
    schemas = Settings.model_json_schema(by_alias=True)["properties"]
    return tuple(
        Variable(name, _kind(name, field), _owner(name), _schema(schemas, key, field))
        for key, field in Settings.model_fields.items()
        for name in [variable(key, field)]
    )


def _kind(name: str, field: FieldInfo) -> Kind:
    if name in SET_BY_CHART:
        return "chart"
    if is_secret(field):
        return "secret"
    if Path in (field.annotation, *get_args(field.annotation)):
        return "directory" if name.endswith("_DIR") else "file"
    return "value"


def _owner(name: str) -> str | None:
    if name.endswith("_DATABASE_PASSWORD"):
        return MIGRATE
    for service in registry.names():
        begins = service.upper()
        addresses = (f"{begins}_DATABASE_URL", f"{begins}_DATABASE_POOLER_URL")
        if name in addresses or name.startswith(f"ORDERFLOW_{begins}_"):
            return service
    return None


def _schema(schemas: dict[str, Any], key: str, field: FieldInfo) -> dict[str, Any]:
    found = schemas[field.validation_alias if isinstance(field.validation_alias, str) else key]
    (kind,) = [each for each in found.get("anyOf", [found]) if each.get("type") != "null"]
    kept = {
        name: value
        for name, value in kind.items()
        if name not in {"title", "default", "description", "format", "writeOnly"}
    }
    pattern = {"pattern": found["pattern"]} if "pattern" in found else {}
    return {"description": field.description or "", **kept, **pattern}
