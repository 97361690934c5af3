"""`orderflow send`: publish commands, tracking and claims written as JSON lines."""

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, Json, err, out, print_json, run
from orderflow.send.outcomes import OUTCOMES_OF, Outcomes
from orderflow.send.prepare import Flaw, Prepared, prepare
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings

_FLAWS_SHOWN = 20


def send(  # noqa: PLR0917 - the command line passes them by name
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON lines; - reads stdin.")],
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Publish the good lines although some are bad.")
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Do not check against the contract: see it rejected."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the outcome of each command and print it.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait with --wait.")] = 30.0,
    json: Json = False,
) -> None:
    """Publish commands, tracking or claims, one JSON line each, after checking all of them.

    A line is `{"type": "order.upsert", "value": {...}}`; `key`, `id`, `source`, `topic`, `time`,
    `subject` and `headers` may be added. Unless `--keep-going` is given, nothing is published
    when any line is bad. The same `id` and `source` sent again change nothing.

    Status 1: a bad line; with --wait also a rejected command, or one without an outcome in time.

    Example: `orderflow send --wait first.jsonl`, with this line in the file:

    `{"type": "order.place", "value": {"shop_slug": "demo-shop", "order": {"order_number": "1001",
    "address": {"zip_code": "10115"}}}}`
    """
    settings = load_settings()
    now = clock_of(settings).now()
    messages, flaws = _read(file, now, unchecked)
    _complain(flaws, json)
    if flaws and not keep_going:
        bad = len({flaw.line for flaw in flaws})
        raise CommandError(f"nothing was sent, {bad} lines are bad; --keep-going sends the others")
    rejected = run(_send(settings, messages, timeout if wait else None, json))
    if not json:
        out.print(f"send: sent={len(messages)} bad={len({flaw.line for flaw in flaws})}")
    if flaws or rejected:
        raise typer.Exit(1)


def _read(file: str, now: datetime, unchecked: bool) -> tuple[list[Prepared], list[Flaw]]:
    if file == "-":
        return prepare(sys.stdin.buffer, now, is_checked=not unchecked)
    try:
        with Path(file).open("rb") as lines:
            return prepare(lines, now, is_checked=not unchecked)
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from None


def _complain(flaws: list[Flaw], json: bool) -> None:
    for flaw in flaws if json else flaws[:_FLAWS_SHOWN]:
        if json:
            print_json(
                {"bad": {"line": flaw.line, "pointer": flaw.pointer, "message": flaw.message}}
            )
        else:
            err.print(str(flaw), markup=False)
    if not json and len(flaws) > _FLAWS_SHOWN:
        err.print(f"… and {len(flaws) - _FLAWS_SHOWN} more")


async def _send(
    settings: Settings, messages: list[Prepared], wait_seconds: float | None, json: bool
) -> int:
    """Publish, print, and with `wait_seconds` collect outcomes; returns how many were not good."""
    from services.runtime.kafka.clients import make_producer

    commands = [message for message in messages if message.topic in OUTCOMES_OF]
    items = {message.id: message.items for message in commands}
    outcomes = Outcomes(settings, items, {message.topic for message in commands})
    producer = make_producer(settings)
    try:
        await producer.start()
        if wait_seconds is not None:
            await outcomes.start()
        futures = [
            await producer.send(
                settings.topic(message.topic),
                message.value,
                key=message.key.encode(),
                headers=list(message.headers),
            )
            for message in messages
        ]
        for message, future in zip(messages, futures, strict=True):
            _print_sent(message, await future, json)
        if wait_seconds is None:
            return 0
        return await _print_outcomes(outcomes, wait_seconds, json)
    finally:
        await producer.stop()
        await outcomes.stop()


def _print_sent(message: Prepared, placed: Any, json: bool) -> None:
    where = {"topic": message.topic, "partition": placed.partition, "offset": placed.offset}
    if json:
        sent = {"line": message.line, "type": message.type, "key": message.key, "id": message.id}
        print_json({"sent": sent | where})
        return
    out.print(
        f"sent  {message.type:<22} {message.key:<32} id={message.id} "
        f"{message.topic}/{placed.partition}/{placed.offset}",
        markup=False,
    )


async def _print_outcomes(outcomes: Outcomes, wait_seconds: float, json: bool) -> int:
    bad = 0
    async for record in outcomes.collect(wait_seconds):
        bad += record["outcome"] == "rejected"
        if json:
            print_json({"outcome": record})
            continue
        for line in outcome_lines(record):
            out.print(line, markup=False)
    if outcomes.missing:
        missing = ", ".join(sorted(outcomes.missing))
        err.print(
            f"no outcome within {wait_seconds:g} seconds for {missing}: "
            "a command may be waiting for its order, or the service is not running",
            markup=False,
        )
    return bad + len(outcomes.missing)


def outcome_lines(record: Mapping[str, Any]) -> Iterator[str]:
    """An outcome as one line, and a line for each of its warnings."""
    why = " ".join(str(record[name]) for name in ("reason", "detail") if record.get(name))
    yield (
        f"{record['outcome']:<10} id={record['command_id']} index={record['index']} "
        f"order={record.get('order_id')} version={record.get('order_version')} {why}"
    )
    for warning in record.get("warnings", ()):
        yield f"  warning: {warning['code']} {warning['pointer'] or '/'}: {warning['detail']}"
    if left_out := record.get("warnings_left_out"):
        yield f"  warning: {left_out} more"
