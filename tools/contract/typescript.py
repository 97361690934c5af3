"""The npm package `orderflow-contract`: types of messages, names of topics, types and events."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from schemas.envelope import OUTGOING_HEADERS
from schemas.schema_ids import BASE, FOLDER, SUFFIX
from schemas.topics import CATALOGUE, FEED, TOPICS
from tools.contract.definitions import (
    SOURCES,
    Definitions,
    Json,
    event_names,
    load,
    numbered_topics,
)
from tools.contract.version import Version
from tools.contract.wheel import ROOT

FORM = ROOT / "deploy" / "contract" / "npm"
KEPT = {"description", "type", "items", "anyOf", "additionalProperties", "required"}
AMOUNT = {"string", "number"}


def build(folder: Path, version: Version) -> Path:
    """Build the package in `folder/npm` (npm pack); returns its path.

    Raises:
        subprocess.CalledProcessError: npm or the generator failed.
    """
    stage, target = folder / "stage" / "npm", folder / "npm"
    for old in (stage, target):
        shutil.rmtree(old, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copytree(FORM, stage, ignore=shutil.ignore_patterns("generator", "node_modules"))
    shutil.copytree(FOLDER, stage / "schemas")
    definitions = load()
    _compile(definitions, folder / "stage" / "npm-generator", stage / "messages.d.ts")
    (stage / "names.d.ts").write_text("\n".join(_names(definitions)) + "\n", "utf-8")
    (stage / "contract.json").write_text(json.dumps(_constants(), indent=1) + "\n", "utf-8")
    package = json.loads((stage / "package.json").read_text("utf-8")) | {"version": version.npm}
    (stage / "package.json").write_text(json.dumps(package, indent=2) + "\n", "utf-8")
    packed = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", str(target)],
        cwd=stage,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return target / packed.stdout.split()[-1]


def _compile(definitions: Definitions, generator: Path, target: Path) -> None:
    """Write the types with json-schema-to-typescript, which is installed as its lock says."""
    shutil.copytree(FORM / "generator", generator, dirs_exist_ok=True)
    # What is installed already is kept.
    subprocess.run(
        [
            "npm",
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
            "--prefer-offline",
        ],
        cwd=generator,
        check=True,
    )
    document = {
        "title": "Unused",
        "type": "object",
        "additionalProperties": False,
        "definitions": {
            name: _prepared(schema, name, definitions)
            for name, schema in definitions.schemas.items()
        },
    }
    source = generator / "contract.schema.json"
    source.write_text(json.dumps(document), "utf-8")
    subprocess.run(["node", "generate.js", str(source), str(target)], cwd=generator, check=True)


def _prepared(schema: Any, name: str, definitions: Definitions) -> Any:
    """A schema as the generator needs it: without bounds and titles, which become no types."""
    if "$ref" in schema:
        kept = {"description": schema["description"]} if "description" in schema else {}
        return kept | {"$ref": f"#/definitions/{schema['$ref']}"}
    if words := schema.get("enum") or schema.get("x-known-values"):
        return _described(schema, " | ".join(_words(words, is_open=definitions.is_open(name))))
    if "prefixItems" in schema:
        return _described(schema, "[string, string]")
    kinds = {each.get("type") for each in schema.get("anyOf", [])}
    if kinds >= AMOUNT:
        amount = "string | number" if name in definitions.sent else "string"
        return _described(schema, amount + (" | null" if "null" in kinds else ""))
    found: Json = {member: value for member, value in schema.items() if member in KEPT}
    if "anyOf" in found:
        found["anyOf"] = [_prepared(each, name, definitions) for each in found["anyOf"]]
    if found.get("items"):
        found["items"] = _prepared(found["items"], name, definitions)
    if "properties" in schema:
        found["properties"] = {
            member: _prepared(each, name, definitions)
            for member, each in schema["properties"].items()
        }
        found.setdefault("additionalProperties", False)
    return found


def _described(schema: Json, type_: str) -> Json:
    kept = {"description": schema["description"]} if "description" in schema else {}
    return kept | {"tsType": type_}


def _words(words: Iterable[str], *, is_open: bool) -> list[str]:
    """Words as literals. The last member of an open list is every string, which editors leave out
    when they propose words.
    """
    return [*map(json.dumps, words), *(["(string & {})"] if is_open else [])]


def _names(definitions: Definitions) -> Iterator[str]:
    """The lines of the file with names, and with the types that a name selects."""
    yield 'import type * as messages from "./messages";'
    yield "type Named<T, S extends string, N extends string> = T & { source: S; event_name: N };"
    yield "/** Topics by constant, without the prefix of the installation. */"
    yield "export declare const TOPICS: {"
    yield from (f"  readonly {_constant(name)}: {json.dumps(name)};" for name in TOPICS)
    yield "};"
    for source, names in _event_names().items():
        yield f"export type {_title(source)}EventName ="
        yield f"  {' | '.join(map(json.dumps, names))};"
    yield "/** The value of each message type (`ce_type`). */"
    yield "export interface Messages {"
    sources = {type_: SOURCES[topic.name] for topic in numbered_topics() for type_ in topic.models}
    for type_, model in definitions.by_type.items():
        value = f"messages.{model}"
        if type_ in sources:
            literals = " | ".join(map(json.dumps, event_names(type_)))
            value = f"Named<{value}, {json.dumps(sources[type_])}, {literals}>"
        yield f"  {json.dumps(type_)}: {value};"
    yield "}"
    for topic in numbered_topics():
        title = _title(SOURCES[topic.name])
        yield f"/** Events of `{topic.name}` that this version knows; `event_name` selects one. */"
        yield f"export type {title}Event ="
        yield f"  {' | '.join(f'Messages[{json.dumps(t)}]' for t in topic.models)};"
        models = sorted({f"messages.{definitions.by_type[t]}" for t in topic.models})
        yield f"export type Any{title}Event = {' | '.join(models)};"


def _event_names() -> dict[str, list[str]]:
    return {
        SOURCES[topic.name]: [name for type_ in topic.models for name in event_names(type_)]
        for topic in numbered_topics()
    }


def _constants() -> Json:
    """What the package has at run time."""
    return {
        "topics": {_constant(name): name for name in TOPICS},
        "types": {topic.name: list(topic.models) for topic in (*CATALOGUE, FEED)},
        "event_names": _event_names(),
        "headers": {_constant(name): name for name in OUTGOING_HEADERS},
        "schema_base": f"{BASE}/",
        "schema_suffix": SUFFIX,
    }


def _constant(name: str) -> str:
    return name.replace(".", "_").replace("-", "_").upper()


def _title(source: str) -> str:
    return source.capitalize()
