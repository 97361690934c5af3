"""Tables of destinations: texts of shops and receivers are shown as they are."""

import io
from datetime import UTC, datetime

from orderflow.commands.destinations import attempts_table, destinations_table
from orderflow.console.terminal import PlainConsole
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


def test_attempts_are_shown_with_markup_as_text():
    error = "[link=https://x.example]a.example cannot be resolved[/link]"
    listed = ListedAttempt(NOW, "event", "order", 1, None, error, None, 5, "retry")

    assert error in shown(attempts_table([listed]))
