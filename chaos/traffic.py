"""The campaign's messages by round, and what they must come to: pure functions of the seed.

Three kinds of orders. **Lives** are those of the synthetic shop: every kind of order once a round,
one round's orders going on into the next three. **Diaries** are orders whose address changes again
and again, a city for each change, so that one change lost, doubled or out of turn shows. Every
fourth round has a long one: its first commands come again after hundreds of others. **Cases** are
orders whose tracking numbers are shared, used again, voided, replaced or placeholders
(`chaos/numbers`): dozens of each begin in a round, and go on into the next three.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from chaos.numbers.answers import CaseAnswer
from chaos.numbers.case import STAGE_LASTS, Case
from chaos.numbers.draw import STAGES_MAX, draw_cases
from chaos.poison import MARK
from demo.messages import command
from demo.script import Script, ScriptMessage, interleave
from demo.synthetic import OPENS_AT, synthetic_script
from schemas.topics import CLAIMS_COMMANDS

BEGINS_AT = OPENS_AT + timedelta(days=30)
"""Business time of the first round: later than anything in any script."""
ROUND_LASTS = STAGE_LASTS
FIRST_PART = 0.7
REPEATED = 0.12
OLD_REPEATED = 4
DIARIES_A_ROUND = 3
DIARY_ROUNDS = 4
LINES_A_ROUND = (2, 5)
LONG_EVERY = 4
LONG_LINES = 200
LONG_REPEATED = 8
POISONED = 0.10
DIARY_SHOP = "diary"
SCALE = 0.01
ROUNDS_OF_A_LIFE = 3
"""Rounds after its first in which a script still has messages: the rest, claims, acts on claims."""


@dataclass(slots=True)
class Diary:
    """An order whose city changes; `cities` is the right answer: all it must have had, in turn."""

    number: str
    since: int
    lines: int = 0
    repeatable: dict[str, ScriptMessage] = field(default_factory=dict)
    """What may be sent again, by city: not poison, nor what an operator ended. A refused command
    is not remembered, so that sent again it would be decided again, and rightly."""
    cities: list[str] = field(default_factory=list)
    poison: str | None = None
    """The city that cannot be decided, while it is so."""
    behind: list[str] = field(default_factory=list)
    """Cities sent after the poison."""

    @property
    def key(self) -> str:
        """The order's name in messages."""
        return f"{DIARY_SHOP}/{self.number}"

    def write(self, *, is_poison: bool) -> ScriptMessage:
        """The next line."""
        city = f"{MARK}.{self.number}.{self.lines}" if is_poison else f"{self.number}.{self.lines}"
        message = self._message(city)
        self.lines += 1
        if is_poison:
            self.poison = city
            return message
        (self.behind if self.poison else self.cities).append(city)
        self.repeatable[city] = message
        return message

    def retried(self) -> None:
        """The bug is mended: everything that waited is decided, in turn."""
        self.cities += [self.poison or "", *self.behind]
        self._heal()

    def skipped(self) -> None:
        """An operator ended the poison; what was behind it is decided."""
        self.cities += self.behind
        self._heal()

    def discarded(self) -> None:
        """An operator ended the poison and what was behind it."""
        for city in self.behind:
            del self.repeatable[city]
        self._heal()

    def _heal(self) -> None:
        self.poison = None
        self.behind = []

    def _message(self, city: str) -> ScriptMessage:
        at = BEGINS_AT
        address = {"zip_code": "10115", "city": city, "country_code": "DE"}
        id_ = f"{self.key}#{self.lines + 1}"
        if not self.lines:
            line = {"sku": "TEAPOT", "title": "Teapot", "quantity": 4, "price": "34.50"}
            order = {"order_number": self.number, "address": address, "products": [line]}
            return command(self.key, "order.place", {"order": order}, at, id_=id_)
        body = {"id": self.number, "id_type": "order_number", "address": address}
        return command(self.key, "order.update", body, at, id_=id_)


@dataclass(slots=True)
class Traffic:
    """What is published, round after round; ask for the rounds in turn."""

    seed: int
    rounds: int
    has_poison: bool = True
    scripts: dict[int, Script] = field(default_factory=dict)
    diaries: list[Diary] = field(default_factory=list)
    cases: dict[int, list[Case]] = field(default_factory=dict)
    """By their first round."""
    _due: dict[int, list[Sequence[ScriptMessage]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def round(self, number: int) -> list[ScriptMessage]:
        """The messages of round `number`; rounds after the last only end what is begun."""
        rng = random.Random(f"traffic/{self.seed}/{number}")
        if number <= self.rounds:
            self._begin_script(number, rng)
            self._write_diaries(number, rng)
            self._write_long_diary(number)
            self._begin_cases(number)
        return with_repeats(merge(self._due.pop(number, []), rng), rng)

    @property
    def last_round(self) -> int:
        """The round after which nothing is left to publish."""
        return self.rounds + ROUNDS_OF_A_LIFE

    def complete_after(self, number: int) -> dict[int, Script]:
        """The script whose last message was published in this round, by its first round."""
        first = number - ROUNDS_OF_A_LIFE
        return {first: self.scripts[first]} if first in self.scripts else {}

    def case_answers(self, number: int, *, is_over: bool) -> Iterator[CaseAnswer]:
        """What the cases that have begun must have come to after a round; all, if `is_over`."""
        for first, cases in self.cases.items():
            if is_over or number - first < STAGES_MAX:
                for case in cases:
                    yield case.answers[min(number - first, len(case.answers) - 1)]

    def poisoned(self) -> list[Diary]:
        """The diaries that cannot go on."""
        return [diary for diary in self.diaries if diary.poison]

    def _begin_script(self, number: int, rng: random.Random) -> None:
        script = synthetic_script(self.seed, scale=SCALE, shop=f"shop-{number}")
        assert script.ends_at < BEGINS_AT
        self.scripts[number] = script
        claims = [message for message in script.messages if message.topic == CLAIMS_COMMANDS]
        others = [message for message in script.messages if message.topic != CLAIMS_COMMANDS]
        mixed = interleave(others, rng)
        cut = round(len(mixed) * FIRST_PART)
        self._due[number].append(mixed[:cut])
        self._due[number + 1].append(mixed[cut:])
        # A claim speaks of what has happened, an act on a claim of its opening.
        self._due[number + 2].append([each for each in claims if not each.claim_opened_by])
        self._due[number + 3].append([each for each in claims if each.claim_opened_by])

    def _write_diaries(self, number: int, rng: random.Random) -> None:
        self.diaries += [Diary(f"{number}-{at}", number) for at in range(DIARIES_A_ROUND)]
        live = [diary for diary in self.diaries if number - diary.since < DIARY_ROUNDS]
        old = [message for diary in live for message in diary.repeatable.values()]
        for diary in live:
            lines = range(rng.randint(*LINES_A_ROUND))
            self._due[number].append(
                [diary.write(is_poison=self._draws_poison(diary, rng)) for _ in lines]
            )
        for message in rng.sample(old, min(OLD_REPEATED, len(old))):
            self._due[number].append([message])

    def _write_long_diary(self, number: int) -> None:
        """An order with more commands than its row names; the first come again a round later."""
        if number % LONG_EVERY != 1:
            return
        diary = Diary(f"{number}-long", number - DIARY_ROUNDS)  # No round writes more lines.
        lines = [diary.write(is_poison=False) for _ in range(LONG_LINES)]
        self.diaries.append(diary)
        self._due[number].append(lines)
        self._due[number + 1].append(lines[:LONG_REPEATED])

    def _begin_cases(self, number: int) -> None:
        """Every stage of a case is due in a round of its own; see `chaos/numbers/case.py`."""
        cases = list(draw_cases(self.seed, number, BEGINS_AT + number * ROUND_LASTS))
        self.cases[number] = cases
        for case in cases:
            for stage, lists in enumerate(case.stages):
                self._due[number + stage] += lists

    def _draws_poison(self, diary: Diary, rng: random.Random) -> bool:
        is_drawn = rng.random() < POISONED
        return self.has_poison and is_drawn and bool(diary.lines) and not diary.poison


def merge(lists: Iterable[Sequence[ScriptMessage]], rng: random.Random) -> list[ScriptMessage]:
    """All lists mixed at random, each in its own order."""
    known = [list(each) for each in lists]
    turns = [at for at, each in enumerate(known) for _ in each]
    rng.shuffle(turns)
    iterators = [iter(each) for each in known]
    return [next(iterators[at]) for at in turns]


def _is_poison(message: ScriptMessage) -> bool:
    """Sent again after an operator ended it, poison would only be parked again."""
    return MARK.encode() in (message.value or b"")


def with_repeats(messages: Sequence[ScriptMessage], rng: random.Random) -> list[ScriptMessage]:
    """Some messages come a second time, later: as from a producer that saw no answer."""
    places = [(float(at), message) for at, message in enumerate(messages)]
    for at, message in enumerate(messages):
        if rng.random() < REPEATED and not _is_poison(message):
            places.append((rng.uniform(at, len(messages)), message))
    return [message for _, message in sorted(places, key=lambda place: place[0])]
