"""The jar of the contract: records that read and write every message, with a compiler and Kafka."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from schemas.example_files import load_examples
from schemas.topics import TOPICS
from tests.operations.contract.conftest import SECONDS, blocks, follow, run
from tests.operations.contract.known_members import known
from tests.operations.contract.republished import Played, Republished
from tools.contract import java
from tools.contract.version import of_checkout

PROJECT = Path(__file__).parent / "java"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "contract" / "subscribers.md"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def jars(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The class path: the jar of this checkout, Jackson, and a client of Kafka."""
    folder = tmp_path_factory.mktemp("java")
    jar = java.build(folder / "built", of_checkout())
    shutil.copy(PROJECT / "pom.xml", folder)
    run("mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", cwd=folder)
    return f"{jar}:{folder / 'target' / 'dependency'}/*"


def class_path(folder: Path, jars: str, name: str, program: str) -> str:
    """Compile a program, warnings refused; returns the class path to run it with."""
    (folder / f"{name}.java").write_text(program, "utf-8")
    run(
        "javac",
        "-Xlint:all,-processing",
        "-Werror",
        "-cp",
        jars,
        "-d",
        ".",
        f"{name}.java",
        cwd=folder,
    )
    return f"{folder}:{jars}"


def round_trip(folder: Path, jars: str, messages: list[tuple[str, str]]) -> list[str]:
    """Values as the records write them after they read them."""
    path = class_path(folder, jars, "RoundTrip", (PROJECT / "RoundTrip.java").read_text("utf-8"))
    lines = "".join(json.dumps({"type": t, "value": value}) + "\n" for t, value in messages)
    done = subprocess.run(
        ["java", "-cp", path, "RoundTrip"],
        input=lines, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def is_same(sent: Any, written: Any) -> bool:
    """Whether a value says the same: null is absent, an amount may be text, a time an instant."""
    if isinstance(sent, Mapping) and isinstance(written, Mapping):
        said, found = without_nulls(sent), without_nulls(written)
        return said.keys() == found.keys() and all(
            is_same(value, found[name]) for name, value in said.items()
        )
    if isinstance(sent, list) and isinstance(written, list):
        return len(sent) == len(written) and all(map(is_same, sent, written))
    return sent == written or same_number(sent, written) or same_instant(sent, written)


def without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if each is not None}


def same_number(sent: Any, written: Any) -> bool:
    """Whether digits and scale are the same."""
    try:
        return Decimal(str(sent)).as_tuple() == Decimal(str(written)).as_tuple()
    except InvalidOperation:
        return False


def same_instant(sent: Any, written: Any) -> bool:
    try:
        found = datetime.fromisoformat(sent), datetime.fromisoformat(written)
    except (TypeError, ValueError):
        return False
    return found[0] == found[1] and found[0].utcoffset() == found[1].utcoffset()


@pytest.mark.parametrize(("sent", "written"), [
    ({"a": "1.50"}, {"a": "1.5"}), ({"a": 1}, {}), ("2026-03-01T10:00+01:00", "2026-03-01T09:00Z"),
    ([1], [1, 2]), ("a", "b"), ({}, {"a": 0}),
])  # fmt: skip
def test_comparison_sees_what_is_lost(sent: Any, written: Any):
    assert not is_same(sent, written)


def differences(messages: list[tuple[str, str]], written: list[str]) -> list[str]:
    """Messages that lost something that the contract names."""
    return [
        f"{type_}\n{value}\n{after}"
        for (type_, value), after in zip(messages, written, strict=True)
        if not is_same(known(type_, exact(value)), exact(after))
    ]


def exact(text: str) -> Any:
    """JSON with the digits of its numbers."""
    return json.loads(text, parse_float=Decimal)


def test_java_records_keep_every_example(jars: str, tmp_path: Path):
    messages = [(each.type, json.dumps(each.value)) for each in load_examples()]

    assert differences(messages, round_trip(tmp_path, jars, messages)) == []


def test_java_records_keep_what_the_services_publish(jars: str, played: Played, tmp_path: Path):
    records = [json.loads(line) for line in played.records.read_text("utf-8").splitlines()]
    messages = [
        (each["headers"]["ce_type"], each["value"])
        for each in records
        if not TOPICS[each["topic"]].incoming and each["value"]
    ]

    written = round_trip(tmp_path, jars, messages)

    assert len(messages) > 100
    assert differences(messages, written) == []
    # What is null in a message is null in Java, and absent in what it writes.
    assert any('"location":null' in value for _, value in messages)
    assert not any('"location":null' in value for value in written)


def test_java_program_of_its_page_compiles_and_takes_what_is_newer(jars: str, tmp_path: Path):
    (program,) = blocks(java.FORM / "README.md", "java")
    main = """
  public static void main(String[] arguments) throws IOException {
    System.out.println(describe(arguments[0], arguments[1].getBytes()));
    System.out.println(new String(cancel("1001")));
  }

  private Example() {}
"""
    path = class_path(
        tmp_path, jars, "Example", program.replace("\n  private Example() {}\n", main)
    )
    known = next(each for each in load_examples("shipment.scanned"))
    data = {**known.value["event_data"], "direction": "word_of_tomorrow", "of_tomorrow": {}}
    newer = {**known.value, "event_data": data, "of_tomorrow": 1.5, "event_name": "OF_TOMORROW"}

    found = [
        run("java", "-cp", path, "Example", type_, json.dumps(newer)).splitlines()
        for type_ in ("shipment.scanned", "shipment.of_tomorrow")
    ]

    number = known.value["event_data"]["tracking_number"]
    assert [lines[0] for lines in found] == [f"parcel {number}: OF_TOMORROW", "OF_TOMORROW"]
    assert json.loads(found[0][1]) == {"shop_slug": "demo-shop", "id": "1001"}


async def test_java_subscriber_of_the_page_acts_once_on_each_event(
    jars: str, republished: Republished, tmp_path: Path
):
    (program,) = blocks(PAGE, "java")

    follow(["java", "-cp", class_path(tmp_path, jars, "Follow", program), "Follow"], republished)
