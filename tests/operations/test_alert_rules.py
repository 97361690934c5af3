"""The rules of alerts with promtool: they are valid, and each alert has cases that hold."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.operations import test_alerts_fire, test_alerts_fire_outward
from tests.operations.alert_stage import shortened
from tools.alerts import RULES, rules_of

CASES = RULES.with_name("orderflow.rules.test.yaml")
ALERTS = [rule.name for rule in rules_of(RULES) if rule.is_alert]
WAITING = [
    rule["alert"]
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "for" in rule
]
SECONDS = 300
"""For all cases: some go over more than a day, one over a week, a minute at a time."""


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )


def seconds(duration: str) -> int:
    """A duration of Prometheus, such as 1h30m, in seconds."""
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))


def test_alert_rules_are_valid() -> None:
    checked = promtool("check", "rules", str(RULES))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules_of(RULES))} rules found" in checked.stdout


@pytest.mark.timeout(SECONDS)
def test_alert_rules_hold_in_all_cases() -> None:
    tested = promtool("test", "rules", str(CASES))

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "SUCCESS" in tested.stdout


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_case_that_fires_and_one_that_does_not(name: str) -> None:
    expected = [
        bool(each["exp_alerts"])
        for case in yaml.safe_load(CASES.read_text("utf-8"))["tests"]
        for each in case["alert_rule_test"]
        if each["alertname"] == name
    ]

    assert set(expected) == {True, False}


def test_alerts_fire_all_in_some_test() -> None:
    seen = {
        name
        for module in (test_alerts_fire, test_alerts_fire_outward)
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "parametrize"
        for names in mark.args[1]
        for name in names
    }

    assert seen == set(ALERTS)


def test_alerts_are_shortened_in_durations_alone() -> None:
    text = "for: 2m\n  expr: rate(a_total[15m]) > 60 and b offset 1d > 86400 # 5m\nfor: 1d\n"

    assert shortened(text) == (
        "for: 33ms\n  expr: rate(a_total[15s]) > 60 and b offset 1440s > 86400 # 5m\nfor: 24000ms\n"
    )


@pytest.mark.parametrize("name", WAITING)
def test_alert_that_waits_has_a_case_that_fires_only_later(name: str) -> None:
    looks = [
        {bool(each["exp_alerts"]): seconds(each["eval_time"]) for each in case["alert_rule_test"]}
        for case in yaml.safe_load(CASES.read_text("utf-8"))["tests"]
        if {each["alertname"] for each in case["alert_rule_test"]} == {name}
    ]

    assert any(at[False] < at[True] for at in looks if len(at) == 2)
