"""What several processes answer, as one answer."""

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.processes.merge import merge_health, merge_metrics

WELL = {"status": "ok", "checks": {"orders.database": {"ok": True, "detail": "answers"}}}
ILL = {"status": "failing", "checks": {"orders.database": {"ok": False, "detail": "away"}}}
TEXT = """# HELP rows Rows.
# TYPE rows gauge
rows{service="a {b} c"} 3.0
# HELP seconds Time.
# TYPE seconds gauge
seconds 1.5
"""


def test_merged_health_is_ok_only_when_each_is():
    assert merge_health({1: WELL, 2: WELL})["status"] == "ok"
    merged = merge_health({1: WELL, 2: ILL})

    assert merged["status"] == "failing"
    assert merged["checks"] == {
        "1.orders.database": {"ok": True, "detail": "answers"},
        "2.orders.database": {"ok": False, "detail": "away"},
    }


def test_merged_health_of_no_process_is_failing():
    assert merge_health({}) == {"status": "failing", "checks": {}}


def test_merged_metrics_have_each_family_once_with_labelled_samples():
    merged = merge_metrics({1: TEXT, 2: TEXT})

    families = list(text_string_to_metric_families(merged))
    assert [family.name for family in families] == ["rows", "seconds"]
    found = [(s.name, s.labels, s.value) for family in families for s in family.samples]
    assert found == [
        ("rows", {"process": "1", "service": "a {b} c"}, 3.0),
        ("rows", {"process": "2", "service": "a {b} c"}, 3.0),
        ("seconds", {"process": "1"}, 1.5),
        ("seconds", {"process": "2"}, 1.5),
    ]


OPEN_TEXT = """# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{le="1.0"} 1.0 # {span_id="b",trace_id="a"} 0.5 1.7e+09
seconds_bucket{le="+Inf"} 1.0
seconds_count 1.0
seconds_sum 0.5
# HELP items Items.
# TYPE items counter
items_total 3.0 # {trace_id="a"} 1.0
# EOF
"""


def test_merged_metrics_of_openmetrics_keep_the_exemplars():
    merged = merge_metrics({1: OPEN_TEXT, 2: OPEN_TEXT})

    families = list(openmetrics.text_string_to_metric_families(f"{merged}# EOF\n"))
    assert [family.name for family in families] == ["seconds", "items"]
    found = [
        (s.name, s.labels["process"], s.exemplar.labels["trace_id"], s.exemplar.value)
        for family in families
        for s in family.samples
        if s.exemplar
    ]
    assert found == [
        ("seconds_bucket", "1", "a", 0.5),
        ("seconds_bucket", "2", "a", 0.5),
        ("items_total", "1", "a", 1.0),
        ("items_total", "2", "a", 1.0),
    ]
