"""Generated files of the Helm chart and of the examples: `python -m tools.chart`.

With --check nothing is written, and outdated files end it with status 1: a setting, a service or a
topic that chart and examples do not know fails `make check`. With --manifests also
deploy/kubernetes/orderflow.yaml, which needs `helm`; a test of `make operations-test` compares it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.chart.catalogue import catalogue
from tools.chart.schema import values_schema
from tools.chart.strimzi import topics, users

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "orderflow"
EXAMPLES = ROOT / "deploy" / "kubernetes"
PRODUCTION = CHART / "ci" / "production.yaml"
MANIFESTS = EXAMPLES / "orderflow.yaml"
KUBERNETES = "1.30.0"
"""The oldest version that the chart is for."""
_HEAD = "# Written by `python -m tools.chart`.\n"
_MANIFESTS_HEAD = (
    "# Written by `python -m tools.chart --manifests`. Rules of alerts and dashboards are in\n"
    "# deploy/prometheus and deploy/grafana.\n"
)


class _Readable(yaml.SafeDumper):
    """YAML in which lists are indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, indentless=False)


def generated() -> dict[Path, str]:
    """Every file that Python alone makes, with its text."""
    settings = yaml.safe_load(PRODUCTION.read_text("utf-8"))["settings"]
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    made = topics(settings["KAFKA_PARTITIONS"], settings["KAFKA_REPLICATION_FACTOR"])
    exactly = "# With the rights of ORDERFLOW_PUBLICATION=exactly_once.\n"
    return {
        CHART / "values.schema.json": json.dumps(values_schema(), indent=1) + "\n",
        CHART / "files" / "catalogue.yaml": _HEAD + _dump([catalogue(values)]),
        EXAMPLES / "strimzi-topics.yaml": _HEAD + _dump(made),
        EXAMPLES / "strimzi-users.yaml": _HEAD + _dump(users(is_exactly_once=False)),
        EXAMPLES / "strimzi-users-exactly-once.yaml": (
            _HEAD + exactly + _dump(users(is_exactly_once=True))
        ),
        **_copies(),
    }


def _copies() -> dict[Path, str]:
    """Rules and dashboards, which a chart must have in its folder."""
    sources = {"rules": "prometheus/*.rules.yaml", "dashboards": "grafana/*.json"}
    return {
        CHART / "files" / folder / source.name: source.read_text("utf-8")
        for folder, pattern in sources.items()
        for source in sorted((ROOT / "deploy").glob(pattern))
    }


def _dump(documents: Iterable[Mapping[str, Any]]) -> str:
    return yaml.dump_all(
        list(documents), Dumper=_Readable, sort_keys=False, width=100, allow_unicode=True
    )


def manifests() -> str:
    """What `helm template` makes of the values of production, without rules and dashboards.

    Raises:
        subprocess.CalledProcessError: helm refuses the chart or the values.
        FileNotFoundError: helm is not on PATH.
    """
    command = ["helm", "template", "orderflow", str(CHART), "--values", str(PRODUCTION)]
    command += [f"--set=monitoring.{part}.enabled=false" for part in ("rules", "dashboards")]
    rendered = subprocess.run(
        [*command, "--kube-version", KUBERNETES], check=True, capture_output=True, text=True
    )
    return _MANIFESTS_HEAD + rendered.stdout


def _outdated(files: Mapping[Path, str]) -> list[Path]:
    """Files that differ from what they should be, and copies that should not be there."""
    copies = {each for folder in ("rules", "dashboards") for each in _inside(folder)}
    differ = [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]
    return sorted({*differ, *(copies - set(files))})


def _inside(folder: str) -> list[Path]:
    return list((CHART / "files" / folder).glob("*"))


def main() -> int:
    """Write the files, or with --check only say which are outdated."""
    parser = argparse.ArgumentParser(prog="python -m tools.chart", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if outdated")
    parser.add_argument("--manifests", action="store_true", help="also what helm renders")
    arguments = parser.parse_args()
    files = generated()
    outdated = _outdated(files)
    if arguments.check:
        for path in outdated:
            sys.stderr.write(f"{path.relative_to(ROOT)} is outdated: run `python -m tools.chart`\n")
        return min(1, len(outdated))
    for path in outdated:
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        else:
            path.unlink()
    if arguments.manifests:
        MANIFESTS.write_text(manifests(), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
