"""API keys made, listed and revoked by operators, each act with its row in the audit.

The role of the gateway may only read. Keys are written by the login that migrates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from asyncpg import Connection

from services.gateway.access.keys import NewKey, make_key
from services.gateway.names import SERVICE
from services.gateway.store import SQL
from services.runtime.config.settings import NoDatabase, Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature
from services.runtime.postgres.connections import prepare
from services.runtime.postgres.diagnosis import translate_errors
from services.runtime.postgres.migrate import check

ADD, REVOKE = "keys.add", "keys.revoke"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a key is: SHOP, CARRIER or ACTIVITY, its name, and the source of what it sends."""

    kind: str
    name: str
    source: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as operators see it."""

    id: str
    kind: str
    name: str
    source: str
    per_second: float | None
    note: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@asynccontextmanager
async def opened_by_owner(settings: Settings) -> AsyncIterator[Connection]:
    """A connection to the gateway's schema with the login that migrates.

    Raises:
        NoDatabase: DATABASE_URL is not set.
        MigrationError: the schema is not that of this version.
    """
    if settings.database_url is None:
        raise NoDatabase("set DATABASE_URL to the login that migrates: only it may write keys")
    url = settings.database_url.get_secret_value()
    with translate_errors(url, "DATABASE_URL"):
        connection = await asyncpg.connect(
            url, server_settings={"search_path": SERVICE, "application_name": "orderflow_keys"}
        )
    try:
        await prepare(connection)
        await check(connection, SERVICE)
        yield connection
    finally:
        await connection.close()


async def add(
    connection: Connection,
    owner: Owner,
    signature: Signature,
    *,
    per_second: float | None,
    expires_at: datetime | None,
) -> NewKey:
    """Make a key and store its hash; the text of the key is in what is returned alone."""
    new = make_key()
    async with connection.transaction():
        await connection.execute(
            SQL["add_key"],
            new.id,
            owner.kind,
            owner.name,
            owner.source,
            new.hash,
            per_second,
            signature.reason,
            expires_at,
        )
        await audit.write(connection, [_act(ADD, signature, new.id, owner.kind, owner.name)])
    return new


async def revoke(connection: Connection, id_: str, signature: Signature) -> bool:
    """End a key; False where there is none that is not revoked."""
    async with connection.transaction():
        row = await connection.fetchrow(SQL["revoke_key"], id_)
        if row is None:
            return False
        await audit.write(connection, [_act(REVOKE, signature, id_, row["kind"], row["name"])])
    return True


async def find(
    connection: Connection, kinds: Sequence[str] | None, name: str | None, *, only_valid: bool
) -> list[StoredKey]:
    """Keys of these kinds for an operator, newest first; None: of all."""
    rows = await connection.fetch(SQL["find_keys"], kinds, name, only_valid)
    return [StoredKey(**row) for row in rows]


def _act(act: str, signature: Signature, id_: str, kind: str, name: str) -> Act:
    detail = {"key": id_, "kind": kind, "name": name}
    return Act(act, signature.actor, signature.reason, detail=detail)
