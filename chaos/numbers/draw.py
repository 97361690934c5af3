"""The cases that begin in a round, drawn from the seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime

from chaos.numbers.case import Case
from chaos.numbers.corrected import placeholder, replaced, voided, voided_after_delivery
from chaos.numbers.reused import reused
from chaos.numbers.shared import crowd, one_box, two_shops

KINDS: tuple[tuple[int, Callable[[Case], None]], ...] = (
    (24, one_box),
    (24, two_shops),
    (24, reused),
    (24, voided),
    (6, voided_after_delivery),
    (24, replaced),
    (24, placeholder),
    (1, crowd),
)
"""How many cases of each kind begin in a round."""
STAGES_MAX = 4
"""Most stages of a case, each in a round of its own."""


def draw_cases(seed: int, number: int, begins_at: datetime) -> Iterator[Case]:
    """The cases that begin in round `number`, whole."""
    for kind, (count, live) in enumerate(KINDS):
        for place in range(count):
            name = f"r{number}k{kind}x{place}"
            case = Case(name, begins_at, random.Random(f"numbers/{seed}/{name}"))
            live(case)
            yield case
