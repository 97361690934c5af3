"""Ids of the JSON Schemas: the `$id` in each file, and `ce_dataschema` of what is published.

An id is a name and no address: nothing is fetched from it. The files with these ids are in
`schemas/generated/json` and in the packages of the contract.
"""

from __future__ import annotations

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
