"""Write the generated half of the contract: JSON Schema files, AsyncAPI and OpenAPI documents.

python -m schemas.generate            write them
python -m schemas.generate --check    compare only; 1 and the names of those out of date
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import asyncapi, openapi
from .commands import ORDERS_FULFILL_BULK, BulkFulfillment
from .model import ContractModel
from .schema_ids import schema_file, schema_id
from .topics import CATALOGUE

FOLDER = Path(__file__).parent / "generated"
COMMAND = "python -m schemas.generate"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
BULK_ITEM = "orders.fulfill_bulk.item"
BULK_OWNER = {BULK_ITEM: ORDERS_FULFILL_BULK}
"""Values that have a schema of their own and lie inside a message."""


def models() -> dict[str, type[ContractModel]]:
    """Every message type, and the model of its value."""
    found = {type_: model for topic in CATALOGUE for type_, model in topic.models.items()}
    return found | {BULK_ITEM: BulkFulfillment}


def json_schema(type_: str, model: type[ContractModel]) -> dict[str, Any]:
    """The JSON Schema of one message type."""
    schema = model.model_json_schema(mode="validation")
    return {"$schema": DIALECT, "$id": schema_id(type_), **schema, "title": type_}


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file, relative to its folder, and what it must hold."""
    for type_, model in sorted(models().items()):
        yield Path("json") / schema_file(type_), _text(json_schema(type_, model))
    yield Path("asyncapi.json"), _text(asyncapi.build())
    yield Path("openapi.json"), _text(openapi.build())


def write(folder: Path = FOLDER) -> list[Path]:
    """Write what differs and remove what is not generated any more; the paths touched."""
    wrong = outdated(folder)
    wanted = {folder / name: text for name, text in generated()}
    for path in wrong:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return wrong


def outdated(folder: Path = FOLDER) -> list[Path]:
    """The generated files that are missing, different, or there without being generated."""
    wanted = {folder / name: text for name, text in generated()}
    present = {path for path in folder.rglob("*") if path.is_file()}
    differ = {p for p, text in wanted.items() if p not in present or p.read_text("utf-8") != text}
    return sorted(differ | (present - set(wanted)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    options = parser.parse_args(arguments)
    if not options.check:
        print(f"schemas: written={len(write())} folder={FOLDER}")  # noqa: T201
        return 0
    wrong = outdated()
    for path in wrong:
        print(f"out of date: {path}; run: {COMMAND}", file=sys.stderr)  # noqa: T201
    print(f"schemas: outdated={len(wrong)}")  # noqa: T201
    return 1 if wrong else 0


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
