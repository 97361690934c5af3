"""Health reports and metrics of several processes, merged into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Answer = Mapping[str, Any]
"""A health report: `status`, and `checks` by name, each with `ok` and `detail`."""


def merge_health(answers: Mapping[int, Answer]) -> dict[str, Any]:
    """One report: ok when all are; the name of a check begins with the number of its process."""
    checks = {
        f"{number}.{name}": check
        for number, answer in answers.items()
        for name, check in answer["checks"].items()
    }
    all_pass = bool(answers) and all(answer["status"] == "ok" for answer in answers.values())
    return {"status": "ok" if all_pass else "failing", "checks": checks}


def merge_metrics(texts: Mapping[int, str]) -> str:
    """One text: each sample gets the label `process`, each family appears once.

    The texts are Prometheus' or OpenMetrics; of the latter the last line, `# EOF`, is left out.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for number, text in texts.items():
        family = ""
        for line in text.split("\n"):
            if line == "# EOF":
                continue
            if line.startswith("#"):
                family = line.split(" ", 3)[2]
                if line not in heads.setdefault(family, []):
                    heads[family].append(line)
            elif line:
                samples.setdefault(family, []).append(_labelled(line, number))
    return "".join(f"{line}\n" for line in _in_families(heads, samples))


def _labelled(sample: str, number: int) -> str:
    """The sample with the label; an exemplar behind it, which has braces too, stays as it is."""
    name, _, value = sample.partition(" ")
    if "{" in name:
        name, _, labels = sample.partition("{")
        return f'{name}{{process="{number}",{labels}'
    return f'{name}{{process="{number}"}} {value}'


def _in_families(heads: Mapping[str, list[str]], samples: Mapping[str, list[str]]) -> Iterable[str]:
    for family, lines in heads.items():
        yield from lines
        yield from samples.get(family, ())
