"""Outcomes as `orderflow send --wait` prints them."""

from orderflow.commands.send import outcome_lines
from orderflow.send.outcomes import Found

APPLIED = {"outcome": "applied", "command_id": "c-1", "index": 0, "order_id": "o", "reason": None}


def test_outcome_is_one_line_without_warnings() -> None:
    (line,) = outcome_lines(Found(3, {**APPLIED, "order_version": 2}))

    assert line == "applied    line=3 id=c-1 index=0 order=o version=2"


def test_outcome_of_a_claim_command_names_the_claim() -> None:
    (line,) = outcome_lines(Found(1, {**APPLIED, "order_version": 2, "claim_id": "k"}))

    assert line.endswith("version=2 claim=k")


def test_outcome_has_a_line_for_each_warning() -> None:
    warning = {"code": "value_left_out", "pointer": "/order/weight", "detail": "a text is left out"}

    outcome = {**APPLIED, "warnings": [warning], "warnings_left_out": 3}
    lines = list(outcome_lines(Found(1, outcome)))

    assert lines[1:] == [
        "  warning: value_left_out /order/weight: a text is left out",
        "  warning: 3 more",
    ]
