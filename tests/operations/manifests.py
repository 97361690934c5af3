"""Strict schemas of Kubernetes' own objects and of custom ones, and what they say of an object."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

Object = dict[str, Any]
KEDA = "github.com/kedacore/keda/v2@v2.21.0"
DEFINITIONS = {
    KEDA: (
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        "config/crd/bases",
    ),
    "github.com/cloudnative-pg/cloudnative-pg@v1.30.0": (
        "h1:fnhVq44xXx97MNiuvJsPrX1vSjYbgdyBK5MSGfdHdp0=",
        "config/crd/bases",
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd",
    ),
}
"""Modules of Go that hold definitions of custom resources (CRDs): checksum, and folder in it."""
_KEDA_TAG = re.compile(r'keda:"name=(\w+),order=([^,"]+)([^"]*)"')
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()


class _Loader(yaml.CSafeLoader):
    """YAML in which a bare `=` is text, as an enumeration of Prometheus Operator has it."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


class WrongDownload(Exception):
    """A module that is not the pinned one."""


@functools.cache
def custom_validators() -> Mapping[tuple[str, str], jsonschema.Draft7Validator]:
    """A strict validator for each custom kind, by `apiVersion` and `kind`."""
    return {
        (f"{spec['group']}/{version['name']}", spec["names"]["kind"]): jsonschema.Draft7Validator(
            _strict(_with_metadata(version["schema"]["openAPIV3Schema"]))
        )
        for spec in _definitions()
        for version in spec["versions"]
    }


def _definitions() -> Iterator[Mapping[str, Any]]:
    for module, (checksum, folder) in DEFINITIONS.items():
        for file in sorted((_downloaded(module, checksum) / folder).glob("*.yaml")):
            for document in yaml.load_all(file.read_text("utf-8"), _Loader):
                if document:
                    yield document["spec"]


@functools.cache
def _downloaded(module: str, checksum: str) -> Path:
    """The folder of a module of Go; WrongDownload unless it is the pinned one."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", module],
        capture_output=True,
        check=True,
        cwd="/",
        text=True,
        timeout=300,
    )
    found = json.loads(done.stdout)
    if found["Sum"] != checksum:
        raise WrongDownload(f"{module} has the checksum {found['Sum']}, pinned is {checksum}")
    return Path(found["Dir"])


@functools.cache
def trigger_parameters() -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """KEDA's trigger `kafka`, whose definition leaves them open, by the tags in KEDA's source.

    By parameter: where it may stand (`triggerMetadata`, `authParams`), and its values (none: any).
    """
    checksum, _ = DEFINITIONS[KEDA]
    source = (_downloaded(KEDA, checksum) / "pkg/scalers/kafka_scaler.go").read_text("utf-8")
    found = {}
    for name, places, rest in _KEDA_TAG.findall(source):
        (values,) = re.findall(r"enum=([^,]*)", rest) or [""]
        found[name] = (frozenset(places.split(";")), frozenset(values.split(";")) - {""})
    return found


def _with_metadata(schema: Mapping[str, Any]) -> Object:
    """The schema of an object, whose metadata the definitions leave open."""
    properties = {**schema["properties"], "metadata": {"type": "object"}}
    return {**schema, "properties": properties}


def _strict(schema: Any) -> Any:
    """A structural schema that refuses unknown fields, as `kubectl --validate=strict` does."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {
        key: {name: _strict(each) for name, each in value.items()}
        if key == "properties"
        else _strict(value)
        for key, value in schema.items()
    }
    if made.pop("x-kubernetes-int-or-string", False):
        return {"type": ["integer", "string"]}
    if made.get("properties") and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def problems(document: Object) -> list[str]:
    """What the schemas of Kubernetes (oldest and newest) or of a definition refuse."""
    kind = (document["apiVersion"], document["kind"])
    if validator := custom_validators().get(kind):
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    found = []
    for version in (OLDEST, NEWEST):
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{version}: {error.json_path}: {error.message}")
    return found
