"""P7 (docs/promises.md): the gate reports a change that breaks a reader of a release.

Each case changes a copy of release 1. The gate must name the message, the place, the rule, the
readers or publishers that break and the way out; or must accept the change.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import topics
from schemas.gate import contract
from schemas.gate.breaks import INSTEAD, describe
from schemas.gate.judge import judge
from tests.contract.gate_cases import BREAKING, COMPATIBLE

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("case", BREAKING)
def test_breaking_change_is_reported_with_place_rule_victims_and_way_out(case, release, changed):
    change, message, at, rule, words, victims = BREAKING[case]
    change(changed)

    found = judge(release, changed, {})

    hits = [b for b in found if (b.message, b.at, b.rule) == (message, at, rule)]
    assert hits, f"not caught; found: {list(describe(found))}"
    text = "\n".join(describe(hits))
    assert words in text
    assert f"breaks   {victims}" in text
    assert INSTEAD[rule] in text
    assert f"{message} {at or '(whole)'}: {rule}: " in text


def test_released_contract_does_not_break_itself(release, changed):
    assert judge(release, changed, contract.models()) == []


@pytest.mark.parametrize("case", COMPATIBLE)
def test_compatible_change_passes(case, release, changed):
    COMPATIBLE[case](changed)

    assert changed != release.contract
    assert judge(release, changed, {}) == []


def test_gate_is_imported_by_no_program():
    for top in ("schemas", "services", "orderflow"):
        for path in (ROOT / top).rglob("*.py"):
            if path.parent.name != "gate" and path.name != "release.py":
                assert "schemas.gate" not in path.read_text("utf-8"), path


def test_bulk_items_are_on_the_topic_of_the_bulk_command(release):
    assert release.contract.incoming("orders.fulfill_bulk.item")
    assert not release.contract.incoming("order.placed")
    released = release.contract.surface["topics"]
    assert {t.name for t in topics.CATALOGUE if t.incoming and t.name in released} == {
        name for name, topic in released.items() if topic["incoming"]
    }
