"""The check of alert rules: what it finds in expressions, and the sentences that say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.alerts import Rule, flaws_of, rules_of


def flaws(expr: str, text: str = "") -> list[str]:
    return list(flaws_of([Rule("Wrong", expr, is_alert=True, text=text)]))


def test_alerts_check_names_rule_and_metric_that_is_gone() -> None:
    (found,) = flaws("sum(orderflow_parked_item) > 0")

    assert found == (
        "rule Wrong: there is no metric orderflow_parked_item; "
        "the nearest is orderflow_parked_items"
    )


@pytest.mark.parametrize(
    ("expr", "flaw"),
    [
        pytest.param(
            'orderflow_ready{chek="a"}', "orderflow_ready has no label chek", id="matcher"
        ),
        pytest.param(
            "sum by (topic) (orderflow_parked_items)",
            "what is aggregated has no label topic",
            id="by",
        ),
        pytest.param(
            "sum without (topic) (orderflow_parked_items)",
            "what is aggregated has no label topic",
            id="without",
        ),
        pytest.param(
            "max by (topic) (orderflow_lag_seconds) > on (partition) orderflow_lag_messages",
            "a side of the operation has no label partition",
            id="on",
        ),
        pytest.param(
            'orderflow_items_total{outcome="refused"}',
            "orderflow_items_total has no outcome 'refused'",
            id="value",
        ),
        pytest.param(
            'orderflow_parked_total{kind!~"behind|crsh"}',
            "orderflow_parked_total has no kind 'crsh'",
            id="pattern",
        ),
        pytest.param(
            "rate(orderflow_batch_stage_seconds[5m])",
            "there is no metric orderflow_batch_stage_seconds",
            id="histogram",
        ),
        pytest.param(
            "orderflow:not_recorded:rate15m > 1",
            "there is no metric orderflow:not_recorded:rate15m",
            id="recorded",
        ),
        pytest.param("sum(", "the expression cannot be read", id="syntax"),
    ],
)
def test_alerts_check_finds(expr: str, flaw: str) -> None:
    (found,) = flaws(expr)

    assert found.startswith(f"rule Wrong: {flaw}")


@pytest.mark.parametrize(
    "expr",
    [
        'sum by (namespace) (rate(orderflow_items_total{outcome=~"rej.*|waiting"}[5m])) > 1',
        "histogram_quantile(0.9, sum by (le) (rate(orderflow_event_latency_seconds_bucket[5m])))",
        "max without (ago) (label_replace(orderflow_ready, 'ago', '1d', '', '')) == 0",
        "kafka_brokers < 3",
    ],
    ids=["matchers", "histogram", "label_replace", "of_others"],
)
def test_alerts_check_accepts(expr: str) -> None:
    assert flaws(expr) == []


def test_alerts_check_reads_labels_in_annotations() -> None:
    assert flaws("max by (service) (orderflow_ready)", "{{ $labels.topic }}") == [
        "rule Wrong: annotations name topic, no label of the expression"
    ]


def test_alerts_check_knows_what_earlier_rules_record() -> None:
    rules = [
        Rule("orderflow:a", "sum by (service) (orderflow_ready)", is_alert=False, text=""),
        Rule("Right", "orderflow:a > 1", is_alert=True, text="{{ $labels.service }}"),
        Rule("Wrong", "orderflow:a > 1", is_alert=True, text="{{ $labels.check }}"),
    ]

    assert [flaw.split(":")[0] for flaw in flaws_of(rules)] == ["rule Wrong"]


def test_alerts_check_reads_a_prometheus_rule_of_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "rule.yaml"
    path.write_text("spec: {groups: [{name: a, rules: [{alert: B, expr: up == 0}]}]}")

    assert [rule.name for rule in rules_of(path)] == ["B"]


@pytest.mark.parametrize("text", ["a: [", "groups: 3", "[]"], ids=["yaml", "groups", "list"])
def test_alerts_check_names_a_file_that_has_no_rules(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)

    with pytest.raises(ValueError, match="no file of Prometheus rules"):
        rules_of(path)
