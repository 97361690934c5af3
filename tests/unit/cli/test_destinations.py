"""Tables of destinations: texts of shops and receivers are shown as they are."""

import io
from datetime import UTC, datetime

import pytest

from orderflow.commands import destinations
from orderflow.commands.destination_show import print_destination
from orderflow.commands.destinations import attempts_table, destinations_table
from orderflow.console.terminal import PlainConsole
from services.deliveries.domain.decide import Decision, Outcome
from services.deliveries.domain.schedule import Answer
from services.deliveries.operations.destinations import ListedAttempt, ListedDestination
from services.deliveries.operations.show import ShownDestination
from services.deliveries.sending.trial import sentence_of

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


def test_one_destination_is_shown_with_markup_and_controls_as_text(capsys):
    reason, name, url = (f"{each}\x1b[2J" for each in HOSTILE)
    row = {"at": NOW, "event_id": "event", "order_id": "order", "number": 1, "status": None}
    attempt = {**row, "error": reason, "milliseconds": 5, "verdict": "retry", "replay": None}
    found = ShownDestination(
        7, "demo-shop", name, {"url": url}, "paused", reason, NOW, NOW, 1, NOW, NOW, 3, 1,
        groups=[], attempts=[attempt], replays=[],
    )  # fmt: skip

    print_destination(found)

    text = capsys.readouterr().out
    assert all(each in text for each in HOSTILE)
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (204, "took it"),
        (101, "no final answer"),
        (308, "redirects are not followed"),
        (401, "signature"),
        (410, "would remove the destination"),
        (418, "refuses the request"),
        (502, "has an error"),
        (999, "HTTP does not have"),
    ],
    ids=str,
)
def test_answer_to_a_test_event_says_what_was_wrong(status, words):
    assert words in sentence_of(Answer(status))


def test_missing_answer_to_a_test_event_says_why_there_was_none():
    assert sentence_of(Answer(None, "no address")) == "there was no answer: no address"
