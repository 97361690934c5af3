"""`make bench-karrio`: karrio's tracking parsers beside ours, on the corpus of carriers.

Writes the figures and the kinds of difference into docs/carriers-karrio.md, and every difference
into reports/karrio.md. The last line is for scripts.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence

from rich.console import Console

from bench.karrio import page
from bench.karrio.answers import CORPUS, read_parcels, said_parcels
from bench.karrio.forms import CONNECTORS
from bench.karrio.kinds import kinds, sorted_by_kind
from bench.karrio.page import Findings
from bench.karrio.running import REPORTS, Asked, ask, version
from bench.karrio.verdicts import Verdict, verdicts_of

REPORT = REPORTS / "karrio.md"


def measure() -> Findings:
    """Ask karrio, read by ourselves, and compare both with the right answers."""
    asked = ask()
    verdicts = [each for one in asked if one.left_out is None for each in _verdicts(one)]
    return Findings(version(), _commit(), asked, verdicts)


def _verdicts(asked: Asked) -> Iterator[Verdict]:
    case = asked.case
    said = said_parcels(asked.answer)
    yield from verdicts_of(
        case,
        read_parcels(case),
        said,
        silent=CONNECTORS[case.dialect].silent,
        raised=asked.answer["raised"],
    )


def _commit() -> str:
    """The newest commit that changed the corpus; with `+` where files of it are not committed."""
    head = _git("log", "-1", "--format=%h", "--", str(CORPUS))
    return f"{head}+" if _git("status", "--porcelain", "--", str(CORPUS)) else head


def _git(*arguments: str) -> str:
    run = subprocess.run(
        ["git", *arguments], cwd=CORPUS, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def _report(verdicts: Sequence[Verdict]) -> str:
    lines = [
        f"{each.path} {each.fact} {each.subject}: right {each.right}, "
        f"Orderflow {each.ours}, karrio {each.karrio}"
        for each in verdicts
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, write the page and the report, and print the sums."""
    found = measure()
    page.PAGE.write_text(page.filled(page.PAGE.read_text("utf-8"), found), "utf-8")
    REPORT.write_text(_report(found.differences), "utf-8")
    _, others = sorted_by_kind(kinds(), found.differences)
    console = Console(width=120, highlight=False, markup=False)
    console.print(page.summary(found), soft_wrap=True)
    console.print(f"written: docs/{page.PAGE.name}, reports/{REPORT.name}")
    console.print(
        f"karrio: version={found.version} payloads={len(found.asked)} "
        f"compared={len(found.compared)} "
        f"raised={sum(bool(each.answer.get('raised')) for each in found.compared)} "
        f"facts={len(found.verdicts)} "
        f"orderflow_right={sum(each.are_we_right for each in found.verdicts)} "
        f"karrio_right={sum(each.is_karrio_right for each in found.verdicts)} "
        f"only_karrio={sum(not e.are_we_right and e.is_karrio_right for e in found.verdicts)} "
        f"unexplained={len(others)}",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
