"""`orderflow outbox`: what waits for publication, and rows unpacked for who must change them."""

from typing import Annotated, Any

import orjson
import typer

from orderflow.console.audit_options import By, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.numbers import INT32_MAX, INT64_MAX, LIMIT_MAX
from orderflow.console.terminal import (
    CommandError,
    Commands,
    Json,
    WrongArgument,
    out,
    print_json,
    run,
)
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.messages.headers import PackedDataUnreadable, read_headers
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.outbox.rows import SQL_FILE, OutboxRow, read_rows, unpack_one
from services.runtime.postgres.queries import load

SQL = load(SQL_FILE)
ACT = "outbox.unpack"
LIMIT = 20

app = typer.Typer(cls=Commands, help="What waits for publication.", no_args_is_help=True)

Service = Annotated[
    str, typer.Argument(metavar="SERVICE", help=f"One of {', '.join(registry.consumers())}.")
]


@app.command("show")
def show(
    service: Service,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="Most rows.")] = LIMIT,
    json: Json = False,
) -> None:
    """Show the oldest rows that wait, shard by shard, record by record, without their values.

    With --json the values are shown too: they may hold names and addresses of customers. Status 1
    when a row cannot be read.

    Example: `orderflow outbox show orders`
    """
    _check(service)
    rows, failed = run(_read(load_settings(), service, limit))
    if json:
        unreadable = [{"shard": s, "row": r, "error": e} for s, r, e in failed]
        print_json({"rows": [_as_json(row) for row in rows], "unreadable": unreadable})
    else:
        for row in rows:
            _show(row)
        for shard, number, error in failed:
            out.print(f"shard {shard} row {number}: cannot be read: {error}", markup=False)
        out.print(f"outbox: shown={len(rows)} unreadable={len(failed)}")
    if failed:
        raise typer.Exit(1)


@app.command("unpack")
def unpack(
    service: Service,
    shard: Annotated[int, typer.Argument(metavar="SHARD", min=0, max=INT32_MAX)],
    row: Annotated[int, typer.Argument(metavar="ROW", min=0, max=INT64_MAX)],
    by: By = None,
    why: Why = None,
) -> None:
    """Put a packed row into arrays, in its place: for SQL by hand, or for the version before.

    Its records are published as before. Status 1 when there is no such row, or it is not packed.

    Example: `orderflow outbox unpack orders 3 1234 --why 'record 2 is never taken'`
    """
    _check(service)
    signature = sign(by, why, is_try=False)
    act = Act(ACT, signature.actor, signature.reason, detail={"shard": shard, "row": row})
    if not run(_unpack(load_settings(), service, shard, row, act)):
        raise CommandError(f"the outbox of {service} has no packed row {row} in shard {shard}")
    out.print(f"unpacked: service={service} shard={shard} row={row}", markup=False)


def _check(service: str) -> None:
    if service not in registry.consumers():
        raise WrongArgument(f"no service {service!r}: one of {', '.join(registry.consumers())}")


async def _read(
    settings: Settings, service: str, limit: int
) -> tuple[list[OutboxRow], list[tuple[int, int, str]]]:
    async with opened(settings, service) as connection:
        rows, failed = read_rows(await connection.fetch(SQL["find_waiting_rows"], limit))
    return rows, [(row["shard"], row["id"], str(error)) for row, error in failed]


async def _unpack(settings: Settings, service: str, shard: int, row: int, act: Act) -> bool:
    async with opened(settings, service) as connection, connection.transaction():
        try:
            is_done = await unpack_one(connection, shard, row)
        except PackedDataUnreadable as error:
            raise CommandError(f"row {row} of shard {shard} cannot be read: {error}") from None
        if is_done:
            await audit.write(connection, [act])
        return is_done


def _show(row: OutboxRow) -> None:
    size = sum(len(value) for value in row.values if value is not None)
    out.print(
        f"shard {row.shard} row {row.id}: {len(row.topics)} records, {size} bytes, "
        f"since {row.created_at:%Y-%m-%d %H:%M:%SZ}",
        markup=False,
    )
    for index, (topic, key) in enumerate(zip(row.topics, row.keys, strict=True)):
        named = dict(_headers(row.headers[index]))
        what = f"{named.get('ce_type', '')} {named.get('ce_id', '')}".strip()
        out.print(f"  {index} {topic} {key.decode('utf-8', 'replace')} {what}", markup=False)


def _as_json(row: OutboxRow) -> dict[str, Any]:
    return {
        "shard": row.shard,
        "row": row.id,
        "created_at": row.created_at,
        "records": [
            {
                "topic": topic,
                "key": key.decode("utf-8", "replace"),
                "headers": _headers(headers),
                "value": _value(value),
            }
            for topic, key, headers, value in zip(
                row.topics, row.keys, row.headers, row.values, strict=True
            )
        ],
    }


def _headers(packed: bytes) -> list[tuple[str, str]]:
    try:
        return [(name, value.decode("utf-8", "replace")) for name, value in read_headers(packed)]
    except PackedDataUnreadable as error:
        return [("cannot be read", str(error))]


def _value(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.decode("utf-8", "replace")
