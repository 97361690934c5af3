"""The contract as generators of other languages read it: the JSON Schemas of all models at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from schemas import generate
from schemas.gate.contract import surface
from schemas.topics import CATALOGUE, CLAIMS_EVENTS, ORDERS_EVENTS, SHIPMENTS_EVENTS, Topic

Json = dict[str, Any]

SCANNED = "shipment.scanned"
SOURCES: Mapping[str, str] = {
    ORDERS_EVENTS: "orders",
    SHIPMENTS_EVENTS: "shipments",
    CLAIMS_EVENTS: "claims",
}
"""What `source` says in the numbered events of each topic."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """Every object and list of words of the contract by its name, and which message has which."""

    schemas: Mapping[str, Json]
    by_type: Mapping[str, str]
    """The name of the object that a message type has as its value."""
    published: frozenset[str]
    """Names that occur in what we publish; readers must take words in them that are new."""
    sent: frozenset[str]
    """Names that occur in what others send. Amounts in them may be numbers, elsewhere never."""

    def objects(self) -> Iterator[tuple[str, Json]]:
        """Names and schemas of objects."""
        return ((name, each) for name, each in self.schemas.items() if "properties" in each)

    def words(self) -> Iterator[tuple[str, list[str]]]:
        """Names of lists of words, and the words."""
        for name, schema in self.schemas.items():
            if found := schema.get("enum") or schema.get("x-known-values"):
                yield name, found

    def is_open(self, name: str) -> bool:
        """Whether a list of words may have others, now or in a later release."""
        return name in self.published or "x-known-values" in self.schemas[name]


def load() -> Definitions:
    """The definitions of the contract of this checkout."""
    models = generate.models()
    unique = list(dict.fromkeys(models.values()))
    references, document = models_json_schema(
        [(model, "validation") for model in unique], ref_template="{model}"
    )
    names = {model: references[model, "validation"]["$ref"] for model in unique}
    schemas: Mapping[str, Json] = document["$defs"]
    by_type = {type_: names[model] for type_, model in models.items()}
    outgoing = {by_type[t] for topic in CATALOGUE if not topic.incoming for t in topic.models}
    return Definitions(
        schemas,
        by_type,
        frozenset(_reachable(schemas, outgoing)),
        frozenset(_reachable(schemas, {*by_type.values()} - outgoing)),
    )


def event_names(type_: str) -> list[str]:
    """The values of `event_name` in events of a type.

    Of a scan those of the catalogue, more of which may come; of other types one.
    """
    if type_ == SCANNED:
        return list(surface()["event_names"])
    source, _, what = type_.partition(".")
    return [type_.replace(".", "_").upper()] if source in {"order", "shipment"} else [what]


def numbered_topics() -> list[Topic]:
    """The topics of events of orders, shipments and claims."""
    return [topic for topic in CATALOGUE if topic.name in SOURCES]


def _reachable(schemas: Mapping[str, Json], names: set[str]) -> set[str]:
    """The names, and all that their schemas refer to."""
    found: set[str] = set()
    while names:
        found |= names
        names = {each for name in names for each in _references(schemas[name])} - found
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for member, value in schema.items():
            if member not in {"default", "examples"}:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
