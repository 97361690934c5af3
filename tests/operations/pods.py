"""Pods of rendered manifests: their workloads, and the environment that a process finds there."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

Object = dict[str, Any]
WORKLOADS = ("Deployment", "StatefulSet", "Job")
_CONTENTS = {
    "ORDERFLOW_DELIVERIES_KEY": base64.b64encode(bytes(32)).decode(),
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=token",
}
"""What a Secret holds for a variable that not every text fits; else an address, or a word."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The template of a workload's pods."""

    workload: Object

    @property
    def name(self) -> str:
        """Name of the service or Job: the component."""
        name: str = self.labels["app.kubernetes.io/component"]
        return name

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the pods."""
        labels: Mapping[str, str] = self.workload["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def spec(self) -> Object:
        """The spec of the pods."""
        spec: Object = self.workload["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        """The only container."""
        (container,) = self.spec["containers"]
        found: Object = container
        return found

    @property
    def runs_always(self) -> bool:
        """Whether the pods are those of a service."""
        return bool(self.workload["kind"] != "Job")


def pods(objects: Iterable[Object]) -> list[Pod]:
    """The pods of all workloads."""
    return [Pod(each) for each in objects if each["kind"] in WORKLOADS]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (matchLabels, matchExpressions with In) selects these labels."""
    wanted = selector.get("matchLabels", {})
    listed = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in listed)
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in listed
    )


def mount(pod: Pod, root: Path, held: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write the files of a pod's volumes below `root`, as the kubelet mounts them.

    `held` has what Secrets hold, by variable; for others it is made up.
    """
    volumes = {each["name"]: each for each in pod.spec["volumes"]}
    for each in pod.container["volumeMounts"]:
        folder = root / each["mountPath"].lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for path in _paths(volumes[each["name"]]):
            (folder / path).write_text(held.get(path, content_of(path)), "utf-8")


def _paths(volume: Mapping[str, Any]) -> Iterator[str]:
    for source in volume.get("projected", {}).get("sources", []):
        (held,) = source.values()
        yield from (item["path"] for item in held["items"])
    for kind in ("secret", "configMap"):
        if kind in volume:
            items = volume[kind].get("items", [{"path": "aftership"}])
            yield from (item["path"] for item in items)


def content_of(name: str) -> str:
    """What the Secret of a variable holds."""
    if name.endswith("_DATABASE_URL") or name == "DATABASE_URL":
        return f"postgresql://{name.lower()}:password@database/orderflow"
    return _CONTENTS.get(name, "a-secret-of-twenty-letters")


def environment(pod: Pod, root: Path) -> dict[str, str]:
    """The variables of a pod's process; paths below /run begin at `root`.

    `mount` makes the files. A Secret's key in the environment has the content of its variable.
    """
    found: dict[str, str] = {}
    for each in pod.container["env"]:
        if "value" in each:
            value = each["value"]
            found[each["name"]] = f"{root}{value}" if value.startswith("/run/") else value
        elif "secretKeyRef" in each["valueFrom"]:
            found[each["name"]] = content_of(each["name"])
        else:
            assert each["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
            found[each["name"]] = f"test-orderflow-{pod.name}-0"
    return found
