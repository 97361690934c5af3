"""Ids of the JSON Schemas: the `$id` in each file, and `ce_dataschema` of what is published.

An id is a name and no address: nothing is fetched from it. The files with these ids are in
`schemas/generated/json` and in the packages of the contract.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "generated" / "json"
BASE = "https://orderflow.dev/schemas"
SUFFIX = ".v1.schema.json"
"""The version in it is the contract's: an incompatible schema gets another id."""


def schema_file(type_: str) -> str:
    """The name of the file with the JSON Schema of a message type."""
    return type_ + SUFFIX


def schema_id(type_: str) -> str:
    """The id of the JSON Schema of a message type, an absolute URI."""
    return f"{BASE}/{schema_file(type_)}"


def type_of_schema(id_: str) -> str | None:
    """The message type whose schema has this id; None: the id is no id of this contract."""
    base, _, name = id_.rpartition("/")
    is_ours = base == BASE and name.endswith(SUFFIX)
    return name.removesuffix(SUFFIX) if is_ours else None


def load_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a message type, or with an id, as `ce_dataschema` has it.

    Raises:
        LookupError: this version of the contract has no such schema.
    """
    type_ = type_of_schema(name) or name
    # A name comes from a record: only the names of the files lead to a file.
    known = {path.name: path for path in FOLDER.glob(f"*{SUFFIX}")}
    if (path := known.get(schema_file(type_))) is None:
        raise LookupError(f"this version of the contract has no schema {name!r}")
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema
