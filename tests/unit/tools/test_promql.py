"""PromQL expressions and the metrics they use."""

import pytest

from services.runtime.observability.metrics import Metrics
from tools import promql
from tools.promql import Selected


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        pytest.param("up", {("up", ())}, id="name-alone"),
        pytest.param('rate(a{x="1",y!~"2"}[5m])', {("a", ("x", "y"))}, id="matchers"),
        pytest.param("sum by (x, y) (a) / b", {("a", ("x", "y")), ("b", ())}, id="grouped"),
        pytest.param("sum without (x) (a)", {("a", ("x",))}, id="without"),
        pytest.param("a * on (x) b", {("a", ("x",)), ("b", ("x",))}, id="joined"),
        pytest.param(
            "sum by (y) (a and on (x) b)", {("a", ("x", "y")), ("b", ("x",))}, id="filtered"
        ),
        pytest.param(
            'sum by (z) (label_replace(a, "z", "$1", "x", ".*"))', {("a", ("x",))}, id="renamed"
        ),
        pytest.param("-(max_over_time(a[1h:1m]))", {("a", ())}, id="subquery"),
        pytest.param(
            "histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m])))",
            {("a_bucket", ("le",))},
            id="quantile",
        ),
        pytest.param("topk(3, a) or vector(0)", {("a", ())}, id="topk"),
        pytest.param("vector(0)", set(), id="nothing"),
    ],
)
def test_promql_metrics_are_named_with_the_labels_in_use(
    expression: str, selected: set[tuple[str, tuple[str, ...]]]
) -> None:
    assert promql.metrics_of(expression) == {
        Selected(name, frozenset(labels)) for name, labels in selected
    }


@pytest.mark.parametrize("expression", ["rate(a[5m]", '{x="1"}', "nothing(a)"])
def test_promql_that_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        promql.metrics_of(expression)


def test_promql_problems_name_metric_and_label_that_are_gone() -> None:
    assert promql.problems("sum by (service, process) (orderflow_parked_items)") == []
    assert promql.problems("sum by (lane) (orderflow_parked_items) / orderflow_parked") == [
        "no metric has the name orderflow_parked",
        "orderflow_parked_items has no label lane, only ['service']",
    ]
    assert promql.problems("histogram_quantile(1, orderflow_items_total)") == [
        "orderflow_items_total has no label le, only ['outcome', 'reason', 'service', 'topic']"
    ]


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
