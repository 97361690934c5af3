"""`orderflow send`: publish commands, tracking and claims written as JSON lines."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow.console.environment import load_settings
from orderflow.console.numbers import SECONDS_MAX
from orderflow.console.terminal import CommandError, Json, err, out, print_json, run
from orderflow.send.outcomes import Found, Outcomes
from orderflow.send.prepare import Lines, Prepared, prepare
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.kafka.topics import require

_SHOWN = 20


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
    timeout: Annotated[
        float, typer.Option(min=0, max=SECONDS_MAX, help="Seconds to wait with --wait.")
    ] = 30.0,
    json: Json = False,
) -> None:
    """Publish commands, tracking or claims, one JSON line each, after checking all of them.

    They are checked as the services will read them: what would be refused is a bad line, and
    what would be taken with a warning is sent, and the warning printed.

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
    lines = _read(file, now, unchecked)
    _complain(lines, json)
    if lines.flaws and not keep_going:
        raise CommandError(
            f"nothing was sent; bad lines: {lines.bad}; --keep-going sends the others"
        )
    rejected = run(_send(settings, lines.messages, timeout if wait else None, json))
    if not json:
        counts = f"sent={len(lines.messages)} bad={lines.bad} warnings={len(lines.doubts)}"
        out.print(f"send: {counts}")
    if lines.flaws or rejected:
        raise typer.Exit(1)


def _read(file: str, now: datetime, unchecked: bool) -> Lines:
    if file == "-":
        return prepare(sys.stdin.buffer, now, is_checked=not unchecked)
    try:
        with Path(file).open("rb") as lines:
            return prepare(lines, now, is_checked=not unchecked)
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from None


def _complain(lines: Lines, json: bool) -> None:
    """Print what is wrong with bad lines, and the warnings about the others."""
    if json:
        for flaw in lines.flaws:
            print_json(
                {"bad": {"line": flaw.line, "pointer": flaw.pointer, "message": flaw.message}}
            )
        for doubt in lines.doubts:
            warning = doubt.found.warning
            said = {"line": doubt.line, "index": doubt.found.index, "pointer": warning.pointer}
            print_json({"warning": said | {"code": warning.code, "detail": warning.detail}})
        return
    for found in (lines.flaws, lines.doubts):
        for each in found[:_SHOWN]:
            err.print(str(each), markup=False)
        if len(found) > _SHOWN:
            err.print(f"… and {len(found) - _SHOWN} more")


async def _send(
    settings: Settings, messages: list[Prepared], wait_seconds: float | None, json: bool
) -> int:
    """Publish, print, and with `wait_seconds` collect outcomes; returns how many were not good."""
    from services.runtime.kafka.clients import make_producer

    await require(settings, {message.topic for message in messages})
    outcomes = Outcomes(settings, {message.topic for message in messages})
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
            placed = await future
            place = (message.topic, placed.partition, placed.offset)
            outcomes.expect(place, message.items, message.line)
            _print_sent(message, placed, json)
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
    async for found in outcomes.collect(wait_seconds):
        bad += found.record["outcome"] == "rejected"
        if json:
            print_json({"outcome": found.record, "line": found.line})
            continue
        for line in outcome_lines(found):
            out.print(line, markup=False)
    if missing := outcomes.missing:
        lines = ", ".join(map(str, missing[:_SHOWN]))
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        err.print(
            f"no outcome within {wait_seconds:g} seconds for line {lines}{more}: a command may be "
            "waiting for its order or parcel (it is applied when that appears) or parked "
            "(`orderflow parked list`), or the service is not running (`orderflow health`)",
            markup=False,
        )
    return bad + len(missing)


def outcome_lines(found: Found) -> Iterator[str]:
    """An outcome as one line, and a line for each of its warnings."""
    record = found.record
    why = " ".join(str(record[name]) for name in ("reason", "detail") if record.get(name))
    claim = f"claim={record['claim_id']} " if record.get("claim_id") else ""
    order = f"order={record['order_id']} " if record.get("order_id") else ""
    version = f"version={record['order_version']} " if record.get("order_version") else ""
    yield (
        f"{record['outcome']:<10} line={found.line} id={record['command_id']} "
        f"index={record['index']} {order}{version}{claim}{why}"
    ).rstrip()
    for warning in record.get("warnings", ()):
        yield f"  warning: {warning['code']} {warning['pointer'] or '/'}: {warning['detail']}"
    if left_out := record.get("warnings_left_out"):
        yield f"  warning: {left_out} more"
