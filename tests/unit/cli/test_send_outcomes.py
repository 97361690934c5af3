"""Outcomes as `orderflow send --wait` prints them."""

from orderflow.commands.send import outcome_lines

APPLIED = {"outcome": "applied", "command_id": "c-1", "index": 0, "order_id": "o", "reason": None}


def test_outcome_is_one_line_without_warnings() -> None:
    (line,) = outcome_lines({**APPLIED, "order_version": 2})

    assert line.split() == ["applied", "id=c-1", "index=0", "order=o", "version=2"]


def test_outcome_has_a_line_for_each_warning() -> None:
    warning = {"code": "value_left_out", "pointer": "/order/weight", "detail": "a text is left out"}

    lines = list(outcome_lines({**APPLIED, "warnings": [warning], "warnings_left_out": 3}))

    assert lines[1:] == [
        "  warning: value_left_out /order/weight: a text is left out",
        "  warning: 3 more",
    ]
