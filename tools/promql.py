"""PromQL expressions: which metrics and labels they use, and whether these exist.

Alerts and dashboards are compared with `services/runtime/observability/metrics.py` by this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser
from promql_parser import AggregateExpr, BinaryExpr, Call, MatrixSelector, VectorSelector

from services.runtime.observability import metrics

# Labels that any sample may have: Prometheus and several processes under one command add them.
ADDED_LABELS = frozenset({"job", "instance", "process"})
# What `/metrics` has beside ours (prometheus_client), and what Prometheus makes itself.
_OTHER_SAMPLES = {
    "process_cpu_seconds_total": frozenset[str](),
    "process_max_fds": frozenset[str](),
    "process_open_fds": frozenset[str](),
    "process_resident_memory_bytes": frozenset[str](),
    "process_start_time_seconds": frozenset[str](),
    "process_virtual_memory_bytes": frozenset[str](),
    "python_gc_collections_total": frozenset({"generation"}),
    "python_gc_objects_collected_total": frozenset({"generation"}),
    "python_gc_objects_uncollectable_total": frozenset({"generation"}),
    "up": frozenset[str](),
    "ALERTS": frozenset({"alertname", "alertstate", "severity", "service"}),
}


@dataclass(frozen=True, slots=True)
class Selected:
    """One selector of an expression: the sample's name and the labels that the expression uses.

    Labels are those it matches, and those by which it groups, joins or renames what is selected.
    """

    name: str
    labels: frozenset[str]


def metrics_of(expression: str) -> set[Selected]:
    """The selectors of an expression.

    Raises:
        ValueError: it is not PromQL, or selects without the name of a metric.
    """
    return set(_selected(promql_parser.parse(expression), frozenset()))


def problems(expression: str) -> list[str]:
    """Sentences about metrics and labels of an expression that do not exist; none when all do.

    Raises:
        ValueError: as `metrics_of`.
    """
    known = samples()
    found: list[str] = []
    for one in sorted(metrics_of(expression), key=lambda one: one.name):
        if one.name not in known:
            found.append(f"no metric has the name {one.name}")
            continue
        labels = known[one.name]
        unknown = sorted(one.labels - labels - ADDED_LABELS)
        found += [f"{one.name} has no label {label}, only {sorted(labels)}" for label in unknown]
    return found


def samples() -> dict[str, frozenset[str]]:
    """Names of samples that services serve, with their labels: `orderflow_…_bucket` has `le`."""
    known = dict(_OTHER_SAMPLES)
    for spec in metrics.GAUGES + metrics.COUNTERS:
        known[f"orderflow_{spec.name}"] = frozenset(spec.labels)
    for spec in metrics.HISTOGRAMS:
        labels = frozenset(spec.labels)
        name = f"orderflow_{spec.name}"
        known |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
    return known


def metric_of_sample(name: str) -> str:
    """The metric that a sample belongs to: a histogram's name without `_bucket` and the like."""
    histograms = {f"orderflow_{spec.name}" for spec in metrics.HISTOGRAMS}
    for ending in ("_bucket", "_sum", "_count"):
        if name.removesuffix(ending) in histograms:
            return name.removesuffix(ending)
    return name


def _selected(node: Any, used: frozenset[str]) -> Iterator[Selected]:
    """Selectors below a node; `used`: labels that nodes above it use."""
    match node:
        case VectorSelector():
            yield _of_selector(node, used)
        case MatrixSelector():
            yield _of_selector(node.vector_selector, used)
        case AggregateExpr():
            labels = node.modifier.labels if node.modifier else []
            yield from _selected(node.expr, used | frozenset(labels))
        case BinaryExpr():
            yield from _of_sides(node, used)
        case Call():
            yield from _of_call(node, used)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return
        case _:  # parentheses, signs and subqueries
            yield from _selected(node.expr, used)


def _of_selector(selector: VectorSelector, used: frozenset[str]) -> Selected:
    if selector.name is None:
        raise ValueError(f"the selector has no name of a metric: {selector}")
    return Selected(selector.name, used | {one.name for one in selector.matchers.matchers})


def _of_sides(node: BinaryExpr, used: frozenset[str]) -> Iterator[Selected]:
    modifier = node.modifier
    joined: frozenset[str] = frozenset()
    if modifier is not None and modifier.matching is not None:
        joined = frozenset(modifier.matching.labels)
    # Only the left side of `and` and `unless` gives labels to the result.
    right = joined if str(node.op) in {"and", "unless"} else used | joined
    yield from _selected(node.lhs, used | joined)
    yield from _selected(node.rhs, right)


def _of_call(node: Call, used: frozenset[str]) -> Iterator[Selected]:
    if node.func.name in {"label_replace", "label_join"}:
        vector, written, *rest = node.args
        read = rest[1:2] if node.func.name == "label_replace" else rest[1:]
        yield from _selected(vector, (used - {written.val}) | {each.val for each in read})
        return
    if node.func.name == "histogram_quantile":
        used = used | {"le"}
    for argument in node.args:
        yield from _selected(argument, used)
