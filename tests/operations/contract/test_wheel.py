"""The wheel of the contract, in an environment that has nothing else of ours."""

import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from schemas.example_files import load_examples
from schemas.topics import CATALOGUE
from tests.operations.contract.conftest import blocks, new_environment, run
from tests.operations.contract.republished import Played
from tools.contract.wheel import FORM

HERE = Path(__file__).parent
DEADLINE_SECONDS = 60.0
CALL = "import asyncio, sys\nasyncio.run({call}(*sys.argv[1:]))\n"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def python(built_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel, what it needs, and a client of Kafka."""
    return new_environment(tmp_path_factory.mktemp("wheel") / "env", [str(built_wheel), "aiokafka"])


@pytest.fixture(scope="module")
def oldest(built_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel and the oldest versions that it says it works with."""
    project = tomllib.loads((FORM / "pyproject.toml").read_text("utf-8"))["project"]
    pins = [each.split(",")[0].replace(">=", "==") for each in project["dependencies"]]
    folder = tmp_path_factory.mktemp("oldest") / "env"
    return new_environment(folder, [str(built_wheel), *pins])


def test_wheel_reads_every_example_and_every_record_of_the_topics(python: Path, played: Played):
    read = json.loads(run(str(python), "-I", str(HERE / "read_all.py"), str(played.records)))

    assert {each.split()[1] for each in read if each.startswith("example ")} == {
        example.type for example in load_examples()
    }
    assert {each.split()[0] for each in read} >= {
        "orders.events", "shipments.events", "claims.events", "orders.state",
        "orders.outcomes", "claims.outcomes",
    }  # fmt: skip


def test_wheel_works_with_the_oldest_versions_that_it_asks_for(oldest: Path, played: Played):
    read = json.loads(run(str(oldest), "-I", str(HERE / "read_all.py"), str(played.records)))

    assert sum(read.values()) > len(load_examples())


def test_wheel_installs_one_package_and_no_tool_of_ours(python: Path):
    listing = (
        "import importlib.metadata as m; print([str(f) for f in m.files('orderflow-contract')])"
    )
    files = eval(run(str(python), "-Ic", listing))

    assert {name.split("/")[0] for name in files if ".dist-info" not in name} == {
        "orderflow_contract"
    }
    failed = subprocess.run(
        [str(python), "-Ic", "import schemas"], capture_output=True, check=False
    )
    assert b"No module named 'schemas'" in failed.stderr


def test_wheel_consumer_of_its_page_reads_the_topics(python: Path, played: Played, tmp_path: Path):
    program = tmp_path / "consumer.py"
    program.write_text(
        blocks(FORM / "README.md", "python")[0] + CALL.format(call="follow"), "utf-8"
    )
    expected = sum('"topic": "shipments.events"' in line for line in read_lines(played))
    command = [str(python), "-I", str(program), played.servers, played.prefix]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as consumer:
        try:
            assert consumer.stdout is not None
            printed = [consumer.stdout.readline().split() for _ in range(expected)]
        finally:
            consumer.kill()

    assert len({(parcel, sequence) for _, parcel, sequence in printed}) == expected
    assert "PICKED_UP_BY_CARRIER" in {name for name, _, _ in printed}


def read_lines(played: Played) -> list[str]:
    return played.records.read_text("utf-8").splitlines()


def test_wheel_producer_of_its_page_places_an_order(python: Path, played: Played, tmp_path: Path):
    program = tmp_path / "producer.py"
    program.write_text(blocks(FORM / "README.md", "python")[1] + CALL.format(call="place"), "utf-8")
    watcher = tmp_path / "outcomes.py"
    watcher.write_text(OUTCOMES, "utf-8")

    run(str(python), "-I", str(program), played.servers, "by-the-wheel", played.prefix)

    until = time.monotonic() + DEADLINE_SECONDS
    outcome = run(
        str(python), "-I", str(watcher), played.servers, played.prefix, "place-by-the-wheel"
    )
    assert time.monotonic() < until
    assert outcome.split() == ["applied", "1"]


OUTCOMES = """
import asyncio, sys
from aiokafka import AIOKafkaConsumer
from orderflow_contract.outcomes import OutcomeRecord
from orderflow_contract.topics import ORDERS_OUTCOMES

async def main(servers, prefix, command):
    async with AIOKafkaConsumer(prefix + ORDERS_OUTCOMES, bootstrap_servers=servers,
                                auto_offset_reset="earliest") as outcomes:
        async for record in outcomes:
            outcome = OutcomeRecord.model_validate_json(record.value)
            if outcome.command_id == command:
                print(outcome.outcome, outcome.order_version)
                return

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("number", range(2), ids=["consumer", "producer"])
def test_wheel_programs_of_its_page_have_right_types(number: int, python: Path, tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(blocks(FORM / "README.md", "python")[number], "utf-8")
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\n[mypy-aiokafka.*]\nignore_missing_imports = True\n", "utf-8")

    found = run(
        sys.executable, "-m", "mypy", "--strict", "--config-file", str(settings),
        "--python-executable", str(python), "--cache-dir", str(tmp_path / "cache"), str(program),
        cwd=tmp_path,
    )  # fmt: skip

    assert "no issues found" in found


def test_wheel_knows_the_topics_of_the_catalogue(python: Path):
    listing = "from orderflow_contract.topics import TOPICS; print(*TOPICS)"

    assert run(str(python), "-Ic", listing).split() == [topic.name for topic in CATALOGUE]
