"""PromQL expressions and the metrics they use."""

import pytest

from services.runtime.observability.metrics import Metrics
from tools import promql


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        pytest.param("up", {"up"}, id="name-alone"),
        pytest.param("sum by (x) (rate(a[5m])) / on (x) b", {"a", "b"}, id="two-sides"),
        pytest.param("-(max_over_time(a[1h:1m])) or vector(0)", {"a"}, id="subquery"),
        pytest.param(
            "histogram_quantile(0.9, rate(orderflow_batch_records_bucket[5m]))",
            {"orderflow_batch_records"},
            id="histogram",
        ),
        pytest.param("vector(0)", set(), id="nothing"),
    ],
)
def test_promql_metrics_are_those_that_are_selected(expression: str, metrics: set[str]) -> None:
    assert promql.metrics_of(expression) == metrics


@pytest.mark.parametrize("expression", ["rate(a[5m]", "a by", "nothing(a)"])
def test_promql_that_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        promql.metrics_of(expression)


def test_promql_samples_are_those_that_a_process_serves() -> None:
    served = {
        sample.name
        for family in Metrics().registry.collect()
        for sample in family.samples
        if not sample.name.startswith(("orderflow_", "python_gc"))
    }

    assert served <= promql.samples().keys()


def test_promql_sample_of_a_histogram_belongs_to_the_metric() -> None:
    assert promql.metric_of_sample("orderflow_batch_records_bucket") == "orderflow_batch_records"
    assert promql.metric_of_sample("orderflow_items_total") == "orderflow_items_total"
