"""Stored trails are continued by their rules' number, so other sums need another number."""

import pytest

from services.orders.domain.model import window
from services.orders.domain.tracking import (
    catalogue,
    legs,
    ordering,
    resume_point,
    state_machine,
)
from services.orders.domain.tracking.catalogue import Phase
from tests.unit.orders import sums
from tests.unit.orders.builders import HOUR


def test_scans_add_up_to_what_the_rules_of_this_number_made_of_them():
    found = sums.problem(sums.load(), sums.sums_now(), sums.histories_now())

    assert found is None, found


PLANTED = {
    "a delivery stands an hour longer": (legs, "END_HOLDS_FOR", 13 * HOUR),
    "attempts within two hours are one": (state_machine, "ONE_ATTEMPT_WITHIN", 2 * HOUR),
    "a scan of tomorrow's clock counts": (ordering, "FUTURE_MAX", 25 * HOUR),
    "late stamps within two hours": (legs, "LATE_STAMPS_WITHIN", 2 * HOUR),
    "a drop-off opens no leg": (legs, "PICK_UPS", frozenset({"PICKED_UP_BY_CARRIER"})),
    "a collection on a return": (catalogue, "_RETURN_PHASE", {Phase.COLLECT: Phase.RETURNED}),
    "any carrier is the owner's": (window, "may_be_of", lambda scan, carrier: True),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_changed_rule_shows_in_the_sums(planted, monkeypatch):
    module, name, value = PLANTED[planted]
    assert hasattr(module, name)
    monkeypatch.setattr(module, name, value)

    assert any(sums.sum_now(family) != sums.load()["sums"][family] for family in sums.FAMILIES)


def test_other_sums_ask_for_another_number_and_another_number_for_a_record(monkeypatch):
    recorded = sums.load()
    others = recorded["sums"] | {"drawn": "planted"}

    found = sums.problem(recorded, others, recorded["histories"])
    assert "(drawn)" in found
    assert "raise the number in RULES" in found

    monkeypatch.setattr(resume_point, "RULES", "5/planted")
    found = sums.problem(recorded, others, recorded["histories"])
    assert found.endswith(f"Run: {sums.COMMAND}")


def test_sums_of_changed_rules_are_not_recorded_under_the_old_number(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sums, "RECORD", tmp_path / "sums.json")
    monkeypatch.setattr(sums, "FAMILIES", {"drawn": sums.FAMILIES["drawn"]})
    assert sums.write() == 0
    recorded = sums.load()
    monkeypatch.setattr(legs, "END_HOLDS_FOR", 13 * HOUR)

    assert sums.write() == 1
    assert sums.load() == recorded
    assert "raise the number in RULES" in capsys.readouterr().err

    monkeypatch.setattr(resume_point, "RULES", "5/planted")
    assert sums.write() == 0
    assert sums.load()["sums"] != recorded["sums"]
