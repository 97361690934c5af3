"""What the checker found, each once, with what is needed to look it up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

LOST = "lost"
DUPLICATED = "duplicated"
REORDERED = "reordered"
GAP = "gap"
TORN = "torn"
LEAKED = "leaked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `subject` is what it is about: an order, an item, a partition."""

    kind: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.text}"


@dataclass(slots=True)
class Findings:
    """All that is wrong; found twice, it counts once."""

    _known: dict[Finding, None] = field(default_factory=dict)
    repeats: int = 0
    """The same record again under the same id: allowed with at-least-once publication."""
    repeats_examples: list[str] = field(default_factory=list)

    def add(self, kind: str, subject: object, text: str) -> None:
        """Note one thing."""
        self._known.setdefault(Finding(kind, str(subject), text))

    def repeat(self, text: str) -> None:
        """Note a repeat."""
        self.repeats += 1
        if len(self.repeats_examples) < 20:
            self.repeats_examples.append(text)

    def take_over(self, other: Findings) -> None:
        """Note what another look found."""
        self._known |= other._known

    @property
    def all(self) -> list[Finding]:
        """In the order they were found."""
        return list(self._known)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind.

        A gap in a sequence is an event lost.
        """
        counted = Counter(finding.kind for finding in self._known)
        counted[LOST] += counted.pop(GAP, 0)
        counts = {kind: counted[kind] for kind in (LOST, DUPLICATED, REORDERED, TORN)}
        return counts | {"repeats": self.repeats, LEAKED: counted[LEAKED]}

    @property
    def is_clean(self) -> bool:
        """Nothing lost, duplicated, reordered, torn or leaked."""
        return not self._known
