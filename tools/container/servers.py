"""Kafka and Postgres of a compose file, played by the local stack."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.stack.addresses import Addresses
from deploy.stack.local import LocalStack
from tools.container.compose import SERVERS, Service

KAFKA, POSTGRES = "apache/kafka", "postgres"
_RULE = "host all all 127.0.0.1/32 scram-sha-256\n"


class Servers:
    """The local stack in a folder, with the database and the password that the file names."""

    def __init__(self, folder: Path) -> None:
        self._stack = LocalStack(folder)
        self._folder = folder

    def start(self, postgres: Service | None) -> Addresses:
        """Start both, and ask every client of Postgres for its password. Raises StackError."""
        addresses = self._stack.start()
        if postgres is not None:
            asyncio.run(self._set_up(addresses.database_url, postgres))
        return addresses

    def stop(self) -> None:
        """End both in an orderly way."""
        self._stack.stop()

    def ports(self, names: dict[str, Service], addresses: Addresses) -> dict[int, int]:
        """Ports by which containers reach the servers, each with the port of this machine.

        Kafka names its own port to clients, so that one leads out as well.
        """
        here = {
            KAFKA: int(addresses.kafka_bootstrap_servers.rpartition(":")[2]),
            POSTGRES: port_of(addresses.database_url),
        }
        ports = {SERVERS[image]: here[image] for each in names.values() if (image := each.server)}
        if SERVERS[KAFKA] in ports:
            ports[here[KAFKA]] = here[KAFKA]
        return ports

    async def _set_up(self, url: str, postgres: Service) -> None:
        """The superuser's password and the database, as the image of Postgres makes them."""
        environment = postgres.environment
        file = postgres.secrets[Path(environment["POSTGRES_PASSWORD_FILE"]).name]
        password = file.read_text("ascii")
        connection = await asyncpg.connect(url)
        try:
            statements = await connection.fetchrow(
                "SELECT format('ALTER ROLE postgres PASSWORD %L', $1::text),"
                " format('CREATE DATABASE %I', $2::text)",
                password,
                environment["POSTGRES_DB"],
            )
            assert statements is not None, "a SELECT without FROM has one row"
            for statement in statements:
                await connection.execute(statement)
            rules = self._folder / "postgres" / "data" / "pg_hba.conf"
            rules.write_text(_RULE, encoding="ascii")
            await connection.execute("SELECT pg_reload_conf()")
        finally:
            await connection.close()


def port_of(url: str) -> int:
    """The port in an address of a database. Raises ValueError where there is none."""
    port = urlsplit(url).port
    if port is None:
        raise ValueError("the address of the database names no port")
    return port
