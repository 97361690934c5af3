"""What tests of `orderflow parked` share: a bug, what it parks, and rows of other services."""

import json
from typing import Any

from typer.testing import Result

from services.runtime.messages.headers import pack_headers
from tests.integration.orders.conftest import an_upsert

from .conftest import Database, Run

WHY = ("--why", "ticket 7", "--by", "ana")


def a_poison(number: str = "1", **more: Any) -> Any:
    """An `order.upsert` that the bug meets."""
    return an_upsert(number, email_id="POISON@mail.example", **more)


def listed(run: Run, *filters: str) -> list[dict[str, Any]]:
    """What `orderflow parked list` finds."""
    result = run("parked", "list", "--json", *filters)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def acted(run: Run) -> list[dict[str, Any]]:
    """What `orderflow acts` prints, oldest first."""
    lines = run("acts", "--json").stdout.splitlines()
    return [json.loads(line) for line in reversed(lines)]


def park_by_hand(database: Database, service: str, topic: str, offset: int) -> None:
    """A row of the queue of a service that no bug of the tests meets."""
    database(
        f'INSERT INTO {service}.parked (index, topic, partition, "offset", headers, value, '
        "record_timestamp, kind, error, traceback, parked_at, attempts, last_tried_at) "
        "VALUES (0, $1, 0, $2, $3, 'no JSON', now(), 'reading', 'Bug: no', '', now(), 1, now())",
        topic,
        offset,
        pack_headers(()),
    )


def last_line(result: Result) -> str:
    """The line that a script reads."""
    line: str = result.stdout.splitlines()[-1]
    return line


def refusals(database: Database) -> list[tuple[str, str]]:
    """Reasons and words of what the orders service refused."""
    rows = database('SELECT reason, detail FROM orders.rejected ORDER BY "offset"')
    return [(row["reason"], row["detail"]) for row in rows]
