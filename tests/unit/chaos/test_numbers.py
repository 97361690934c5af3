"""Cases of the fault campaign on tracking numbers: their answers are right in any interleaving."""

from __future__ import annotations

import random

import pytest

from chaos.checker.findings import Findings
from chaos.checker.ledger import Ledger
from chaos.checker.numbers import judge_case
from chaos.numbers.case import STAGE_LASTS, Case, id_of
from chaos.numbers.draw import draw_cases
from chaos.traffic import BEGINS_AT, merge, with_repeats
from tests.unit.chaos.service import Service


def found_in(case: Case, seed: int) -> list[str]:
    """What the checker finds after each stage of a case, played without servers or faults."""
    ledger, rng = Ledger(Findings()), random.Random(seed)
    service = Service(ledger, case.begins_at)
    for stage, (lists, answer) in enumerate(zip(case.stages, case.answers, strict=True)):
        now = case.begins_at + stage * STAGE_LASTS
        service.apply(with_repeats(merge(lists, rng), rng), now)
        judge_case(ledger, answer, is_over=False)
        if not ledger.findings.is_clean:
            return [f"{case.name} stage {stage}: {each}" for each in ledger.findings.all]
    return []


@pytest.mark.parametrize("seed", range(3))
def test_answers_of_cases_are_right_in_any_interleaving(seed: int) -> None:
    found = [text for case in draw_cases(seed, 1, BEGINS_AT) for text in found_in(case, seed)]

    assert found == []


def test_answers_of_cases_hold_after_their_last_stage() -> None:
    """All of a case again, in any order, as late repeats: nothing changes."""
    for case in draw_cases(4, 1, BEGINS_AT):
        ledger, rng = Ledger(Findings()), random.Random(4)
        service = Service(ledger, case.begins_at)
        for stage, lists in enumerate(case.stages):
            service.apply(merge(lists, rng), case.begins_at + stage * STAGE_LASTS)
        repeats = [[each] for lists in case.stages for messages in lists for each in messages]
        harmless = [each for each in repeats if id_of(each[0]) not in case.once]

        service.apply(merge(harmless, rng), case.now)

        judge_case(ledger, case.answers[-1], is_over=False)
        assert ledger.findings.all == [], case.name
