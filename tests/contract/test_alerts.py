"""Alerts, their entries in the runbook, and the metrics that they read belong together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from services.orders.domain.model.reasons import Reason
from tests.contract.test_commands_of_pages import commands_of, flaw_of
from tools.alerts import RULES, flaws_of, rules_of

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
PARTS = ("What it means.", "How bad.", "Look at", "Repair:", "Mended when")


def entries() -> dict[str, str]:
    """The entries of the runbook: the name of an alert, and its text."""
    parts = re.split(r"^##+ (.*)$", RUNBOOK, flags=re.MULTILINE)[1:]
    found = zip(parts[::2], parts[1::2], strict=True)
    return {name: text for name, text in found if name.startswith("Orderflow")}


def test_alerts_and_entries_of_the_runbook_are_the_same() -> None:
    assert set(entries()) == set(ALERTS)


def test_alerts_read_metrics_labels_and_values_that_exist() -> None:
    assert list(flaws_of(rules_of(RULES))) == []


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_severity_and_annotations(name: str) -> None:
    rule = ALERTS[name]

    assert re.fullmatch(r"Orderflow([A-Z][a-z]+)+", name)
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_an_entry_with_all_parts(name: str) -> None:
    text = entries()[name]

    assert f"Severity: {ALERTS[name]['labels']['severity']}." in text
    assert [part for part in PARTS if f"**{part}**" not in text] == []
    row = rf"^\| \[{name}\]\(#{name.lower()}\) \| {ALERTS[name]['labels']['severity']} \| "
    assert re.search(row, RUNBOOK, re.MULTILINE), "the table lacks the alert"


@pytest.mark.parametrize("name", ALERTS)
def test_alert_entry_names_commands_that_exist(name: str) -> None:
    flaws = {
        " ".join(words): flaw
        for words in commands_of(entries()[name])
        if (flaw := flaw_of(words)) is not None
    }

    assert flaws == {}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_entry_names_metrics_that_exist(name: str) -> None:
    named = set(re.findall(r"orderflow_\w+", entries()[name]))
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    listed = set(re.findall(r"`(orderflow_\w+)`", page))

    assert {re.sub(r"_(sum|count|bucket)$", "", each) for each in named} <= listed


def test_alert_entries_name_reasons_that_exist() -> None:
    named = {
        words[words.index("--reason") + 1]
        for text in entries().values()
        for words in commands_of(text)
        if "--reason" in words
    }

    assert named
    assert named <= set(Reason)


def test_alert_on_refused_requests_names_reasons_of_the_gateway() -> None:
    rules = {rule.name: rule.expr for rule in rules_of(RULES)}
    (pattern,) = re.findall(r'reason=~"(.*)"', rules["orderflow:requests_refused:rate15m"])
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "services/gateway").rglob("*.py"))

    assert [each for each in pattern.split("|") if f'"{each}"' not in code] == []
