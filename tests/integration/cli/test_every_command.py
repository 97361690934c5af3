"""Every command of `orderflow` with arguments and servers that are wrong: a sentence, no traceback.

The commands and their options are found in the command line itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
from typer.testing import CliRunner, Result

from deploy.stack import Addresses
from orderflow.main import app

from .conftest import Run

Command = tuple[str, ...]
PLACE = "orders.commands/0/0#0"
WHY = ("--why", "w")
CANCEL = '{"type": "order.cancel", "value": {"shop_slug": "qa", "id": "1"}}\n'
STAYS = {("up",), ("demo",), ("stack", "up"), ("serve",)}
"""Commands that start servers; with right arguments they go on."""
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "partitions resume": ("orders.commands", "0", *WHY),
    "partitions move": ("orders.commands", "0", "--to", "0", *WHY),
    "capacity": ("--orders-per-day", "1000"),
    "send": ("-",),
    "tail": ("orders.events", "--no-follow"),
    "order": ("qa/1",),
    "carriers detect": ("1Z999AA10123456784",),
    "carriers remap": WHY,
    "carriers reread": ("--since", "1h", *WHY),
    "campaigns list": ("qa",),
    "campaigns show": ("qa", "spring"),
    "republish": ("--order", "qa/1", *WHY),
    "erase": ("qa", "1", *WHY),
    "rebuild": ("claims", "--dry-run", *WHY),
    "recall": ("--since", "2h", "--dry-run", *WHY),
    "rejected show": (PLACE,),
    "rejected resend": (PLACE, *WHY),
    "parked retry": (PLACE, *WHY),
    "parked skip": (PLACE, *WHY),
    "parked discard": (PLACE, *WHY),
    "parked edit-and-retry": (PLACE, "--value", "-", *WHY),
    "parked show": (PLACE,),
    "outbox show": ("orders",),
    "outbox unpack": ("orders", "0", "1", *WHY),
    "keys add": ("--shop", "demo-shop", *WHY),
    "keys revoke": ("abcdefghijkl", *WHY),
    "destinations attempts": ("demo-shop", "erp"),
    "destinations secret": ("demo-shop", "erp", *WHY),
    "destinations feed": ("demo-shop", *WHY),
    "destinations pause": ("demo-shop", "erp", *WHY),
    "destinations resume": ("demo-shop", "erp", *WHY),
    "destinations replay": ("demo-shop", "erp", "--order", "1", "--seconds", "1", *WHY),
    "destinations show": ("demo-shop", "erp"),
    "destinations test": ("demo-shop", "erp", *WHY),
}
"""What each command needs to be right; none where it needs nothing."""
ODD = (
    "",
    "²",
    "a/b",
    "99999999999999999999999",
    "orders.commands/0/99999999999999999999",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "999999d",
    "\x00",
    "\udc80",
)
NO_SERVERS = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "HTTP_PORT": "1",
}


def _leaves(group: Any, path: Command = ()) -> Iterator[tuple[Command, Any]]:
    for name in group.list_commands(None):
        command, here = group.get_command(None, name), (*path, str(name))
        if hasattr(command, "list_commands"):
            yield from _leaves(command, here)
        else:
            yield here, command


COMMANDS = dict(_leaves(typer.main.get_command(app)))
ENDING = [path for path in COMMANDS if path not in STAYS]


def right(path: Command) -> tuple[str, ...]:
    """The command with arguments that are right."""
    return (*path, *ARGUMENTS.get(" ".join(path), ()))


def with_odd_values(path: Command) -> Iterator[tuple[str, ...]]:
    """The command with each of the odd values in the place of each argument and option."""
    place = len(path)
    for parameter in COMMANDS[path].params:
        if parameter.name == "help" or getattr(parameter, "is_flag", False):
            continue
        for odd in ODD:
            words = list(right(path))
            if parameter.param_type_name == "argument":
                words[place : place + 1] = [odd]
            elif parameter.opts[-1] in words:
                words[words.index(parameter.opts[-1]) + 1] = odd
            else:
                words += [parameter.opts[-1], odd]
            yield tuple(words)
        place += parameter.param_type_name == "argument"


def check_ends(result: Result, words: tuple[str, ...]) -> None:
    """The command has ended by itself; where it failed, it has said why."""
    said = f"{words}\n{result.output[-2000:]}\n{result.exception!r}"
    assert result.exception is None or isinstance(result.exception, SystemExit), said
    assert "Traceback" not in result.output, said
    assert result.exit_code == 0 or result.output.strip(), said


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of the test's own, with no stack in it, and an editor that changes nothing."""
    monkeypatch.setenv("ORDERFLOW_STACK_FOLDER", str(tmp_path / "stack"))
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _needs_servers(path: Command) -> bool:
    return path not in {
        ("down",),
        ("stack", "down"),
        ("topics", "list"),
        ("settings",),
        ("carriers", "detect"),
        ("capacity",),
    }


@pytest.mark.parametrize("path", ENDING, ids=" ".join)
def test_every_command_without_servers_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, alone: Path, path: Command
) -> None:
    for name, value in NO_SERVERS.items():
        monkeypatch.setenv(name, value)

    result = CliRunner().invoke(app, right(path), input=CANCEL)

    check_ends(result, path)
    assert (result.exit_code == 1) is _needs_servers(path)
    is_silent = path in {("health",), ("stack", "status")}
    assert is_silent or not result.exit_code or "orderflow " in result.stderr, result.stderr


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_refuses_an_option_that_it_does_not_have(path: Command) -> None:
    result = CliRunner().invoke(app, [*right(path), "--nope"])

    check_ends(result, path)
    assert result.exit_code == 2
    assert "No such option: --nope" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("path", ENDING, ids=" ".join)
def test_every_command_answers_odd_values(
    monkeypatch: pytest.MonkeyPatch, alone: Path, empty_installation: Run, path: Command
) -> None:
    for words in with_odd_values(path):
        result = empty_installation(*words, input=CANCEL)

        check_ends(result, words)
        if "\x00" in words or "\udc80" in words:
            assert result.exit_code == 2
            assert "is no text" in result.stderr


@pytest.fixture(scope="module")
def empty_installation(
    stack: Addresses, template_database: str, session_name: str
) -> Iterator[Run]:
    """`orderflow` on a Kafka with all topics and a database with all tables, both empty."""
    name = f"{session_name}_every"
    copy = f'CREATE DATABASE "{name}" TEMPLATE "{template_database}" STRATEGY FILE_COPY'
    asyncio.run(_execute(stack.database_url, copy))
    url = stack.database_url.rpartition("/")[0] + f"/{name}"
    environment = stack.environment() | {
        "DATABASE_URL": url,
        "KAFKA_TOPIC_PREFIX": f"{session_name}.every.",
        "KAFKA_PARTITIONS": "1",
    }

    def run(*words: str, **options: str) -> Result:
        return CliRunner(env=environment).invoke(app, list(words), **options)

    made = run("topics", "create")
    assert made.exit_code == 0, made.output
    yield run
    asyncio.run(_execute(stack.database_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


UNKNOWN = {
    ("order", "qa/1"): "qa/1: no such order",
    ("republish", "--order", "qa/1", *WHY): "no such order: qa/1; nothing was published",
    ("campaigns", "show", "qa", "spring"): "shop qa has no campaign, discount or test 'spring'",
    ("erase", "qa", "1", *WHY): "qa/1: no such order, or it was erased before; nothing was changed",
    ("report", "--shop", "nowhere"): "nothing of the shop 'nowhere' in these days",
    ("rejected", "show", PLACE): f"{PLACE} was not rejected",
    ("parked", "show", PLACE): f"{PLACE} is not parked",
    ("outbox", "unpack", "orders", "0", "1", *WHY): "has no packed row 1 in shard 0",
    ("keys", "revoke", "abcdefghijkl", *WHY): "there is no key abcdefghijkl that is not revoked",
    ("partitions", "resume", "orders.commands", "0", *WHY): "has never been read by",
    ("partitions", "move", "orders.commands", "7", "--to", "0", *WHY): "orders.commands[7]",
}


@pytest.mark.parametrize("words", UNKNOWN, ids=" ".join)
def test_command_about_something_that_is_not_there_fails_with_its_name(
    empty_installation: Run, words: tuple[str, ...]
) -> None:
    result = empty_installation(*words)

    check_ends(result, words)
    assert result.exit_code == 1
    assert UNKNOWN[words] in result.output


@pytest.mark.parametrize("words", [("send", "-"), right(("recall",)), ("topics", "apply")])
def test_command_names_a_missing_topic_and_how_to_make_it(
    monkeypatch: pytest.MonkeyPatch, service: object, run: Run, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KAFKA_TOPIC_PREFIX", "never-made.")

    result = run(*words, input=CANCEL)

    assert result.exit_code == 1
    assert "Kafka has no topic never-made." in result.stderr
    assert "run `orderflow topics create`" in result.stderr


def test_tail_of_nothing_says_so(empty_installation: Run) -> None:
    result = empty_installation("tail", "orders.outcomes", "--no-follow", "--key", "qa/1")

    assert result.exit_code == 0
    said = "tail: nothing in orders.outcomes with the key 'qa/1'; --from beginning reads what is"
    assert result.stderr.startswith(said)


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
