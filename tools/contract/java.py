"""The jar `orderflow-contract`: records of all messages for Jackson, names of topics and types."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from schemas.envelope import OUTGOING_HEADERS
from schemas.schema_ids import BASE, FOLDER, SUFFIX
from schemas.topics import TOPICS
from tools.contract.definitions import (
    SOURCES,
    Definitions,
    Json,
    event_names,
    load,
    numbered_topics,
)
from tools.contract.java_records import record
from tools.contract.version import Version
from tools.contract.wheel import ROOT

FORM = ROOT / "deploy" / "contract" / "java"
PACKAGE = Path("orderflow") / "contract"
HEAD = "package orderflow.contract;\n\n"


def build(folder: Path, version: Version) -> Path:
    """Build the jar, the jar of sources and the POM in `folder/java`; returns the path of the jar.

    Raises:
        subprocess.CalledProcessError: Maven failed.
    """
    stage, target = folder / "stage" / "java", folder / "java"
    for old in (stage, target):
        shutil.rmtree(old, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copytree(FORM, stage)
    write_sources(stage / "src" / "main" / "java" / PACKAGE)
    shutil.copytree(FOLDER, stage / "src" / "main" / "resources" / PACKAGE / "schemas")
    pom = stage / "pom.xml"
    pom.write_text(pom.read_text("utf-8").replace("0.0.0-SNAPSHOT", version.maven), "utf-8")
    subprocess.run(["mvn", "--batch-mode", "--quiet", "package"], cwd=stage, check=True)
    for jar in (stage / "target").glob("*.jar"):
        shutil.copy(jar, target)
    name = f"orderflow-contract-{version.maven}"
    shutil.copy(pom, target / f"{name}.pom")
    return target / f"{name}.jar"


def write_sources(folder: Path) -> None:
    """Write the generated classes."""
    definitions = load()
    events = {definitions.by_type[t] for topic in numbered_topics() for t in topic.models}
    for name, schema in definitions.objects():
        text = record(name, schema, definitions, is_event=name in events)
        (folder / f"{name}.java").write_text(HEAD + text, "utf-8")
    other = _other_event(definitions.schemas["OrderEvent"])
    text = record("OtherEvent", other, definitions, is_event=True)
    (folder / "OtherEvent.java").write_text(HEAD + text, "utf-8")
    for name, lines in _classes(definitions):
        (folder / f"{name}.java").write_text(HEAD + "\n".join(lines) + "\n", "utf-8")


def _other_event(schema: Json) -> Json:
    """What every event says, and `event_data` as it is."""
    data = {"description": "What happened, by the event's type"}
    properties = schema["properties"] | {"event_data": data}
    about = "An event of a type that is newer than this version."
    return schema | {"description": about, "properties": properties}


def _classes(definitions: Definitions) -> Iterator[tuple[str, Iterable[str]]]:
    """The classes of constants, by name."""
    yield (
        "Topics",
        _constants(
            "Topics", "Names of topics, without the prefix of the installation.", list(TOPICS)
        ),
    )
    yield "Headers", _constants("Headers", "Names of Kafka headers.", list(OUTGOING_HEADERS))
    yield "Types", _types(definitions)
    for topic in numbered_topics():
        name = f"{SOURCES[topic.name].capitalize()}EventNames"
        found = [each for type_ in topic.models for each in event_names(type_)]
        yield (
            name,
            _constants(
                name, f"Names of events on `{topic.name}`. Later releases may have more.", found
            ),
        )
    for name, words in definitions.words():
        more = "There may be others." if definitions.is_open(name) else "There are no others."
        about = definitions.schemas[name].get("description", "Words of the contract.")
        yield name, _constants(name, f"{' '.join(about.split())} {more}", words)


def _constants(name: str, about: str, values: Sequence[str]) -> Iterator[str]:
    yield f"/** {about} */"
    yield f"public final class {name} {{"
    yield f"  private {name}() {{}}"
    for value in values:
        yield f'  public static final String {constant(value)} = "{value}";'
    yield "}"


def _types(definitions: Definitions) -> Iterator[str]:
    lines = list(_constants("Types", "Message types (`ce_type`).", list(definitions.by_type)))
    yield "import java.util.Map;\n"
    yield from lines[:-1]
    yield f'  static final String SCHEMA_BASE = "{BASE}/";'
    yield f'  static final String SCHEMA_SUFFIX = "{SUFFIX}";'
    yield "  /** The class of the value of each type. */"
    yield "  public static final Map<String, Class<?>> CLASSES = Map.ofEntries("
    entries = [
        f"    Map.entry({constant(type_)}, {model}.class)"
        for type_, model in definitions.by_type.items()
    ]
    yield ",\n".join(entries) + ");"
    yield "}"


def constant(value: str) -> str:
    """A word as the name of a constant."""
    return value.replace(".", "_").replace("-", "_").upper()
