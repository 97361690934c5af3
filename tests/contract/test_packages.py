"""What `make contract` builds with Python alone, and what it refuses to build."""

from __future__ import annotations

import re
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from schemas import generate
from schemas.example_files import load_examples
from schemas.schema_ids import load_schema, schema_id, type_of_schema
from tools.contract import definitions, java, wheel
from tools.contract.__main__ import main
from tools.contract.version import Version, of_checkout

MODULES = {path.name for path in wheel.SCHEMAS.glob("*.py")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel.build(tmp_path_factory.mktemp("wheel"), Version(3, is_released=True))


def test_wheel_has_every_module_but_the_tools(built: Path) -> None:
    names = zipfile.ZipFile(built).namelist()

    found = {name.removeprefix("orderflow_contract/") for name in names}
    assert {name for name in found if name.endswith(".py")} == MODULES - set(wheel.TOOLS)
    assert {"py.typed", "country_names.json", "generated/asyncapi.json"} <= found
    assert len([name for name in found if name.startswith("examples/")]) == len(load_examples())
    assert not any(name.startswith(("gate", "released")) for name in found)


def test_wheel_says_its_version_and_needs_what_its_modules_import(built: Path) -> None:
    files = zipfile.ZipFile(built)
    (name,) = (each for each in files.namelist() if each.endswith("METADATA"))
    said = Parser().parsestr(files.read(name).decode())

    assert said["Version"] == "1.3.0"
    needed = {re.split(r"[<>=]", each)[0] for each in said.get_all("Requires-Dist", [])}
    assert needed == {"msgspec", "pydantic", "tzdata"}
    assert "def follow" in str(said.get_payload())


def test_wheel_of_the_same_contract_has_the_same_bytes(built: Path, tmp_path: Path) -> None:
    again = wheel.build(tmp_path, Version(3, is_released=True))

    assert again.read_bytes() == built.read_bytes()


def test_version_is_that_of_the_release_or_of_development_of_the_next() -> None:
    released, coming = Version(2, is_released=True), Version(3, is_released=False)

    assert (released.python, released.npm, released.maven) == ("1.2.0",) * 3
    assert (coming.python, coming.npm, coming.maven) == (
        "1.3.0.dev0",
        "1.3.0-dev.0",
        "1.3.0-SNAPSHOT",
    )
    newest = max(int(each.name) for each in (wheel.SCHEMAS / "released").iterdir())
    assert of_checkout() in {
        Version(newest, is_released=True),
        Version(newest + 1, is_released=False),
    }


def test_packages_that_cannot_be_built_are_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")

    assert main(["ruby", "python"]) == 1
    assert main(["npm", "java"]) == 1

    first, second = capsys.readouterr().err.splitlines()
    assert first == "contract: no package ruby; there are python, npm, java"
    assert second == "contract: not on PATH: mvn, node, npm"


def test_event_names_of_the_packages_are_those_of_the_examples() -> None:
    events = [each for each in load_examples() if "event_name" in getattr(each, "value", {})]
    shown = {(each.type, each.value["event_name"]) for each in events}

    # The example of a name that readers do not know yet.
    assert {each for each in shown if each[1] not in definitions.event_names(each[0])} == {
        ("shipment.scanned", "HANDED_TO_DRONE")
    }
    assert len(shown) > 30


def test_java_sources_have_a_class_for_every_object_and_list_of_words(tmp_path: Path) -> None:
    java.write_sources(tmp_path)

    written = {path.stem for path in tmp_path.glob("*.java")}
    assert written > {*definitions.load().schemas}


def test_schema_of_an_id_is_found_without_a_network() -> None:
    for type_ in generate.models():
        assert load_schema(schema_id(type_)) == load_schema(type_)
        assert load_schema(type_)["$id"] == schema_id(type_)
    assert type_of_schema("https://orderflow.dev/other/order.placed.v1.schema.json") is None


@pytest.mark.parametrize("name", [
    "order.of_tomorrow", "../json/order.placed", schema_id("../../asyncapi"), "",
    "https://elsewhere.example/order.placed.v1.schema.json",
])  # fmt: skip
def test_schema_of_an_unknown_id_is_refused(name: str) -> None:
    with pytest.raises(LookupError, match="has no schema"):
        load_schema(name)
