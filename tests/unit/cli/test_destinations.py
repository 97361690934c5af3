"""Tables of destinations: texts of shops and receivers are shown as they are."""

import io
from datetime import UTC, datetime

import pytest

from orderflow.commands import destinations
from orderflow.commands.destinations import attempts_table, destinations_table
from orderflow.console.terminal import PlainConsole
from services.deliveries.domain.decide import Decision, Outcome
from services.deliveries.operations.destinations import ListedAttempt, ListedDestination

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOSTILE = ("[red]paused[/red]", "[/]", "https://[fd00::1]/hook")


def shown(table):
    """What a table prints."""
    file = io.StringIO()
    PlainConsole(file=file, width=400, highlight=False).print(table)
    return file.getvalue()


def test_destinations_are_shown_with_markup_as_text():
    reason, name, url = HOSTILE
    listed = ListedDestination(
        "demo-shop", name, "paused", reason, {"url": url}, NOW, NOW, False, 1, NOW, None, 3, 0, NOW
    )

    text = shown(destinations_table([listed]))

    assert all(each in text for each in HOSTILE)


@pytest.mark.parametrize(
    "sequence",
    ["\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;https://x.example\x1b\\", "\x9b2J", "\r", "\u202e"],
    ids=["clear", "title", "link", "csi", "return", "direction"],
)
def test_sequences_of_terminals_are_never_printed(sequence):
    said = f"before{sequence}after"
    destination = ListedDestination(
        said, said, "paused", said, {"url": said}, NOW, NOW, False, 1, NOW, None, 3, 0, NOW
    )
    attempt = ListedAttempt(NOW, said, said, 1, None, said, said, 5, "retry")

    text = shown(destinations_table([destination])) + shown(attempts_table([attempt]))

    assert text.count("before") >= 7
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("said", ["\x1b[2J[red]x[/red]", "\x9b2J[/]"], ids=["escape", "csi"])
def test_details_of_a_decision_are_printed_as_text(said, capsys, monkeypatch):
    monkeypatch.setattr(destinations, "out", PlainConsole(highlight=False))
    decision = Decision(Outcome.NO_CHANGE, "no_difference", said)

    destinations._report("paused", "demo-shop", said, decision)

    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x9b" not in printed
    assert printed.count("2J[") == 2


def test_attempts_are_shown_with_markup_as_text():
    error = "[link=https://x.example]a.example cannot be resolved[/link]"
    listed = ListedAttempt(NOW, "event", "order", 1, None, error, None, 5, "retry")

    assert error in shown(attempts_table([listed]))
