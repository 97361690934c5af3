"""The check of words: `python -m tools.words [FOLDER…]`, a part of `make check`.

Reads the Python and SQL files of `services/` and reports words of the project's former private
language in comments, docstrings, strings, names and file names, each with what to write instead;
and references to pages that are not in the repository. Why: docs/decisions/0110.

Not read: statements of SQL, migrations, which never change once they were applied, and the
`schema.sql` generated from them.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("services",)

SAY = "name what happens: emit, publish, log, return, report, raise"
ACTOR = "name it: a process, a replica, an operator, a caller"
SETTLE = "one verb for each meaning: resolve, conclude, finish, reach the end"

WORDS: Mapping[str, str] = {
    "told": SAY,
    "tell": SAY,
    "tells": SAY,
    "telling": SAY,
    "tellings": "versions, copies",
    "untold": SAY,
    "retold": "repeated",
    "anew": "again; (re)created",
    "nobody": ACTOR,
    "somebody": ACTOR,
    "noone": ACTOR,
    "whoever": ACTOR,
    "elsewhen": "otherwise",
    "docket": "unit of work",
    "dockets": "units of work",
    "entrant": "parking candidate",
    "entrants": "parking candidates, parking keys",
    "lane": "shard publisher (outbox); parking gate (parking)",
    "lanes": "shard publishers (outbox); parking gate (parking)",
    "witness": "fingerprint of the last applied record",
    "witnesses": "fingerprints; log identity",
    "careful": "crash guard; reading record by record",
    "isolating": "bisection",
    "doomed": "known failures",
    "culprit": "failing item",
    "culprits": "failing items",
    "surveyor": "broker probe",
    "survey": "broker snapshot",
    "slot": "item reference (parking); segment (outbox)",
    "settle": SETTLE,
    "settles": SETTLE,
    "settled": SETTLE,
    "settling": SETTLE,
    "settlement": "conclude: the last step of a decision",
    "news": "new fact; order events",
    "urgency": "notifications",
    "arrangement": "ordering of scans",
    "parted": "split",
}
"""Words that are found everywhere, and what to write instead."""

NAMES: Mapping[str, str] = {
    "arriving": "intake",
    "course": "state machine",
    "gathering": "loading",
    "inbox": "intake",
    "journey": "replay",
    "placing": "assignment",
    "ways": "wiring; publisher factory",
}
"""Words that are found in names of Python and of files: in a sentence they may be right."""

PHRASES: Mapping[str, str] = {
    "no one": ACTOR,
    "heard of": SAY,
    "hear of": SAY,
    "comes by": "runs, happens",
    "come by": "run, happen",
    "came by": "ran, happened",
    "parts_of": "split_batch",
    "note_alone": "record_attempt",
    "heard_max": "stop_after",
    "kafka_not_told": "offset_commit_failed",
    "partitions_not_let_go": "partition_release_failed",
    "try_not_noted": "attempt_not_recorded",
    "batch_parted": "batch_split",
    "partitions_sought_again": "partitions_reseeked",
    "topic_made_anew": "topic_recreated",
    "server_awaited": "waiting_for_server",
}
"""Several words, and whole names, that are found everywhere."""

KEPT: Mapping[str, str] = {
    '"told"': "column of orders.stored_order, made by orders/0003_told.sql",
    '"slot"': "column of outbox, made by runtime/0004_outbox_parts.sql",
    "settled_at": "member of the trail in stored parcels",
    "survey_failed": "log event that operators search for",
    "careful_mode_begun": "log event that operators search for",
    "careful_mode_ended": "log event that operators search for",
}
"""Names that cannot change although a word of the lists is in them, each with the reason."""

CONTENT = "put the content here; that page is not in the repository"
REFERENCES: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"\b(?:design|traps?)\s+\d[\d.]*[a-z]?"), CONTENT),
    (re.compile(r"\breference,\s+\d[\d.]*"), CONTENT),
    (re.compile(r"\b(?:design|domain|faststream|structure|style|systems)\.md\b"), CONTENT),
)
"""References to pages outside the repository."""

RULES, PROMISES = "docs/scan-rules.md", "docs/promises.md"
NUMBERED: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"\brules?\s+\d+[a-z]?\b"), RULES),
    (re.compile(r"\bP[1-8]\b"), PROMISES),
)
"""Numbers of a page, allowed in a file that names the page once."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_TEXTS = {
    tokenize.COMMENT,
    tokenize.STRING,
    # Text of an f-string, from Python 3.12 on; before, it is a STRING as a whole.
    getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A comment, a string or a name, and the line on which it begins, from 1."""

    text: str
    line: int
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A word or reference that should be another."""

    path: Path
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found}: {self.instead}"


def findings(root: Path, folders: Iterable[str] = FOLDERS) -> list[Finding]:
    """All findings in the Python and SQL files of some folders below `root`, in order of path."""
    paths = (path for folder in folders for path in (root / folder).rglob("*"))
    read = sorted(path for path in paths if path.suffix in (".py", ".sql"))
    return [
        finding
        for path in read
        if "migrations" not in path.relative_to(root).parts and path.name != "schema.sql"
        for finding in _in_file(path.relative_to(root), path.read_text("utf-8"))
    ]


def _in_file(path: Path, text: str) -> Iterator[Finding]:
    in_code = _python(text) if path.suffix == ".py" else _sql(text)
    pieces = (Piece(path.stem, 1, is_name=True), *in_code)
    numbered = [(pattern, page) for pattern, page in NUMBERED if page not in text]
    for piece in pieces:
        for offset, found, instead in sorted(_in_piece(piece, numbered)):
            yield Finding(path, piece.line + piece.text.count("\n", 0, offset), found, instead)


def _python(text: str) -> Iterator[Piece]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _TEXTS:
            yield Piece(token.string, token.start[0])
        elif token.type == tokenize.NAME:
            yield Piece(token.string, token.start[0], is_name=True)


def _sql(text: str) -> Iterator[Piece]:
    for number, line in enumerate(text.splitlines(), start=1):
        _, dashes, comment = line.partition("--")
        if dashes:
            yield Piece(comment, number)


def _in_piece(
    piece: Piece, numbered: Sequence[tuple[re.Pattern[str], str]]
) -> Iterator[tuple[int, str, str]]:
    """Offset in the piece, what was found, and what to write instead."""
    text = _KEPT.sub(lambda kept: " " * len(kept.group()), piece.text)
    for match in _WORD.finditer(text):
        word = match.group().lower()
        instead = WORDS.get(word) or (NAMES.get(word) if piece.is_name else None)
        if instead is not None:
            yield match.start(), word, instead
    for match in _PHRASES.finditer(text):
        phrase = " ".join(match.group().lower().split())
        yield match.start(), phrase, PHRASES[phrase]
    if piece.is_name:
        return
    for pattern, instead in REFERENCES:
        for match in pattern.finditer(text):
            yield match.start(), match.group(), instead
    for pattern, page in numbered:
        for match in pattern.finditer(text):
            yield match.start(), match.group(), f"name {page} in this file"


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """One of the texts as whole words, in any case, over any space."""
    either = "|".join(re.escape(text).replace(r"\ ", r"\s+") for text in texts)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


_KEPT = _any_of(KEPT)
_PHRASES = _any_of(PHRASES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; status 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tools.words", description=__doc__)
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="read these, not services/")
    found = findings(ROOT, parser.parse_args(arguments).folders)
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    files = len({finding.path for finding in found})
    sys.stdout.write(f"words: findings={len(found)} files={files}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
