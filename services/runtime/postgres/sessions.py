"""What a session of a service must be: its role, schema and limits.

A direct connection asks for it when it is opened. A connection pooler in transaction mode shares
sessions among clients and takes no such request, so there the role itself has the settings, by
`orderflow migrate`; a session has them from its login on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import asyncpg

from services.runtime.config.settings import Settings, SettingsError
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sessions.sql")


def role_of(service: str) -> str:
    """Return the name of a service's database role."""
    return f"orderflow_{service}"


def session_parameters(settings: Settings, service: str) -> dict[str, str]:
    """Make the parameters that a role can have: all but the role and those of the connection."""
    return {
        "search_path": service,
        "timezone": "UTC",
        "lock_timeout": _milliseconds(settings.database_lock_timeout_seconds),
        "statement_timeout": _milliseconds(settings.database_statement_timeout_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(
            settings.database_idle_in_transaction_timeout_seconds
        ),
        # A generic plan made while a table was small would still scan it when it is large, and
        # compiling a plan takes longer than any of the statements runs.
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
    }


def startup_parameters(settings: Settings, service: str) -> dict[str, str]:
    """Make the parameters with which a direct connection is opened."""
    return {
        "role": role_of(service),
        "application_name": role_of(service),
        # The server notices a vanished client in about 10 + 3 * 5 seconds and releases its locks.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "30000",
        **session_parameters(settings, service),
    }


async def check_session(connection: asyncpg.Connection, settings: Settings, service: str) -> None:
    """Compare the session with what it must be. A pooler may have ignored what was asked for.

    Raises:
        SettingsError: it is another one; the text says what to do.
    """
    wanted = {"role": role_of(service), **session_parameters(settings, service)}
    rows = await connection.fetch(SQL["find_different"], list(wanted), list(wanted.values()))
    if not rows:
        return
    is_pooled = settings.pooler_url_of(service) is not None
    found = ", ".join(f"{row['name']} is {row['found'] or 'not set'}" for row in rows)
    wanting = ", ".join(f"{row['name']} {row['wanted']}" for row in rows)
    variable = f"{service.upper()}_DATABASE_POOLER_URL"
    advice = (
        f"log in as {role_of(service)} in {variable}, run `orderflow migrate` with this variable "
        "and the same settings, then let the pooler reconnect (RECONNECT in PgBouncer)"
        if is_pooled
        else f"{settings.database_variable_of(service)} leads to a connection pooler that ignores "
        f"them: give it the server's own address, and the pooler's to {variable}"
    )
    raise SettingsError(f"sessions of {service} need {wanting}; {found}: {advice}")


async def set_for_role(
    connection: asyncpg.Connection, service: str, parameters: Mapping[str, str]
) -> None:
    """Give the role of a service the parameters, in this database.

    Raises:
        InsufficientPrivilegeError: the login may not change the role.
    """
    for name, value in parameters.items():
        # ALTER ROLE takes no parameters; the server quotes the names and the value.
        statement = await connection.fetchval(SQL["make_alter_role"], role_of(service), name, value)
        await connection.execute(statement)


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
