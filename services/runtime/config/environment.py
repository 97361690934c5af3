"""Settings from environment variables: secret files, unknown names, error texts."""

import os
import re
import types
import typing
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

PREFIX = "ORDERFLOW_"

# Variables of the local stack, the tests, the demo and the benchmark, which are not settings.
_TOOL_PREFIXES = (
    "ORDERFLOW_BENCH",
    "ORDERFLOW_CHAOS",
    "ORDERFLOW_DEMO",
    "ORDERFLOW_STACK",
    "ORDERFLOW_TEST",
)

# Kubernetes gives every pod variables named after the Services beside it (service links),
# so a Service called orderflow-orders must not look like a misspelt setting.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT\w*)$|_PORT(_\d+_(TCP|UDP|SCTP)\w*)?$")


class SettingsError(Exception):
    """Settings with which a process cannot start; the text names each variable and what to do."""


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable of a field."""
    return field.validation_alias if isinstance(field.validation_alias, str) else name.upper()


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value must never be shown, and may come from a file."""
    return SecretStr in (field.annotation, *typing.get_args(field.annotation))


def allowed(field: FieldInfo) -> str:
    """The values that a field allows, as text: its type or choices, and its limits."""
    kinds = [kind for kind in _kinds(field.annotation) if kind is not type(None)]
    text = " or ".join(_name(kind) for kind in kinds)
    limits = [_limit(item) for item in field.metadata]
    return ", ".join([text, *[limit for limit in limits if limit]])


def _kinds(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def _name(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(str(choice) for choice in typing.get_args(kind))
    return {
        int: "whole number",
        float: "number",
        str: "text",
        Path: "path",
        SecretStr: "secret",
    }.get(kind, str(kind))


def _limit(item: Any) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    for attribute, word in words.items():
        if hasattr(item, attribute):
            return f"{word} {getattr(item, attribute):,}"
    if getattr(item, "pattern", None):
        return f"matching {item.pattern}"
    return ""


def refuse_unknown(settings: type[BaseSettings]) -> None:
    """Raise SettingsError for ORDERFLOW_* variables that are no settings.

    Otherwise a misspelt variable would be ignored, and its default used.
    """
    known = {variable(name, field) for name, field in settings.model_fields.items()}
    secret = {variable(n, f) for n, f in settings.model_fields.items() if is_secret(f)}
    known |= {f"{name}_FILE" for name in secret}
    unknown = [name for name in sorted(os.environ) if _is_misspelt(name.upper(), known)]
    if unknown:
        raise SettingsError("\n".join(_suggest(name, known) for name in unknown))


def _is_misspelt(name: str, known: set[str]) -> bool:
    return (
        name.startswith(PREFIX)
        and name not in known
        and not name.startswith(_TOOL_PREFIXES)
        and not _SERVICE_LINK.search(name)
    )


def _suggest(name: str, known: set[str]) -> str:
    near = get_close_matches(name.upper(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else "remove it"
    return f"{name}: there is no such setting; {hint} `orderflow settings` lists them all"


def explain(settings: type[BaseSettings], error: ValidationError) -> str:
    """A validation error as one line per variable: what is wrong and what is allowed."""
    fields = {variable(name, field): field for name, field in settings.model_fields.items()}
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]).upper() if problem["loc"] else ""
        field = fields.get(name)
        reason = str(problem["msg"]).removeprefix("Value error, ")
        if field and problem["type"] == "literal_error":  # Its reason lists what is allowed.
            lines.append(f"{name}: must be {allowed(field)}")
        else:
            lines.append(f"{name}: {reason} (allowed: {allowed(field)})" if field else reason)
    return "\n".join(lines)


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets from files: `<NAME>_FILE` names a file whose content, stripped, is the value."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret of one field, or None when its `_FILE` variable is not set."""
        name = variable(field_name, field)
        path = os.environ.get(f"{name}_FILE")
        if not path or not is_secret(field):
            return None, field_name, False
        if os.environ.get(name):
            raise SettingsError(f"{name} and {name}_FILE are both set: keep one of them")
        return _read_secret(name, Path(path)), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All secrets given as files, by field name."""
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def _read_secret(name: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{name}_FILE: cannot read {path}: {reason}") from None
    if not text:
        raise SettingsError(f"{name}_FILE: {path} is empty; put the secret in it")
    return text
