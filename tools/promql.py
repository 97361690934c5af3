"""PromQL expressions and the samples that services serve: for checks of alerts and dashboards."""

from __future__ import annotations

from typing import Any

import promql_parser

from services.runtime.observability import metrics

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


def metrics_of(expression: str) -> set[str]:
    """Names of the metrics that an expression selects; of a histogram without `_bucket` and so on.

    Raises:
        ValueError: it is not PromQL.
    """
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            found.add(metric_of_sample(node.name))

    promql_parser.walk(promql_parser.parse(expression), visit)
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
