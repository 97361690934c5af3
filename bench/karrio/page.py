"""The generated parts of docs/carriers-karrio.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.karrio.forms import CONNECTORS
from bench.karrio.kinds import Kind, kinds, sorted_by_kind
from bench.karrio.running import Asked
from bench.karrio.verdicts import FACTS, Verdict

PAGE = Path(__file__).parents[2] / "docs" / "carriers-karrio.md"


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one run found."""

    version: str
    commit: str
    asked: Sequence[Asked]
    verdicts: Sequence[Verdict]

    @property
    def differences(self) -> Sequence[Verdict]:
        """Facts about which not both are right."""
        return [each for each in self.verdicts if not (each.are_we_right and each.is_karrio_right)]

    @property
    def compared(self) -> Sequence[Asked]:
        """Payloads that karrio got."""
        return [each for each in self.asked if each.left_out is None]


def filled(page: str, findings: Findings) -> str:
    """The page with its generated parts as they should be.

    Raises:
        ValueError: a marker is missing.
    """
    for name, text in _parts(findings).items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if not 0 <= page.find(begin) < page.find(end):
            raise ValueError(f"{PAGE.name} lacks the markers {begin} and {end}")
        before, rest = page.split(begin, 1)
        page = f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}"
    return page


def summary(findings: Findings) -> str:
    """The sums by fact, for the terminal."""
    return _fact_table(findings.verdicts)


def _parts(findings: Findings) -> Mapping[str, str]:
    found = kinds()
    groups, others = sorted_by_kind(found, findings.differences)
    return {
        "measured": _measured(findings),
        "facts": _fact_table(findings.verdicts),
        "dialects": _dialect_table(findings),
        "left-out": _left_out_table(findings.asked),
        "kinds": _kind_table(found, groups),
        "others": _others(others),
    }


def _measured(findings: Findings) -> str:
    return (
        f"Measured with karrio {findings.version} on the corpus of commit `{findings.commit}`: "
        f"{len(findings.asked)} payloads of {len(CONNECTORS)} dialects that karrio has a connector "
        f"for, of which {len(findings.compared)} are in a form that it reads."
    )


def _fact_table(verdicts: Sequence[Verdict]) -> str:
    head = ("fact", "compared", "both right", "only Orderflow", "only karrio", "neither")
    rows = []
    for fact, meaning in FACTS.items():
        counts = Counter(
            (each.are_we_right, each.is_karrio_right) for each in verdicts if each.fact == fact
        )
        ordered = [counts[pair] for pair in _PAIRS]
        rows.append((f"*{fact}*: {meaning}", *map(str, (sum(ordered), *ordered))))
    return _table(head, rows)


_PAIRS = ((True, True), (True, False), (False, True), (False, False))


def _dialect_table(findings: Findings) -> str:
    head = ("dialect", "connector", "payloads", "left out", "raised", *FACTS)
    return _table(head, (_dialect_row(dialect, findings) for dialect in sorted(CONNECTORS)))


def _dialect_row(dialect: str, findings: Findings) -> Sequence[str]:
    asked = [each for each in findings.asked if each.case.dialect == dialect]
    cells = [f"`{dialect}`", f"`karrio-{CONNECTORS[dialect].name.replace('_', '-')}`"]
    cells += map(str, (len(asked), sum(each.left_out is not None for each in asked)))
    cells.append(str(sum(bool(each.answer.get("raised")) for each in asked)))
    for fact in FACTS:
        of_fact = [
            each for each in findings.verdicts if (each.dialect, each.fact) == (dialect, fact)
        ]
        right = sum(each.is_karrio_right for each in of_fact)
        cells.append(f"{right} of {len(of_fact)}" if of_fact else "–")
    return cells


def _left_out_table(asked: Sequence[Asked]) -> str:
    counts = Counter((each.case.dialect, each.left_out) for each in asked if each.left_out)
    rows = (
        (f"`{dialect}`", str(form), str(count)) for (dialect, form), count in sorted(counts.items())
    )
    return _table(("dialect", "form", "payloads"), rows)


def _kind_table(found: Sequence[Kind], groups: Sequence[Sequence[Verdict]]) -> str:
    head = ("kind", "facts", "example", "Orderflow", "karrio", "right", "why")
    return _table(
        head,
        (_kind_row(kind, group) for kind, group in zip(found, groups, strict=True) if group),
    )


def _kind_row(kind: Kind, group: Sequence[Verdict]) -> Sequence[str]:
    shown = next((each for each in group if kind.shows(each)), group[0])
    return (
        kind.title,
        str(len(group)),
        f"`{shown.path}`, {shown.fact}",
        shown.ours,
        shown.karrio,
        _who(shown),
        kind.why,
    )


def _who(verdict: Verdict) -> str:
    names = {(True, False): "Orderflow", (False, True): "karrio", (False, False): "neither"}
    return names[verdict.are_we_right, verdict.is_karrio_right]


def _others(others: Sequence[Verdict]) -> str:
    if not others:
        return "None: each difference is of a kind above."
    head = ("payload", "fact", "right", "Orderflow", "karrio")
    rows = ((f"`{e.path}`", e.fact, e.right, e.ours, e.karrio) for e in others)
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(_cell(each) for each in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
