"""A contract as the gate compares it: today's, from models and pages, or a release's, from files.

What is contract but no JSON Schema stands in `surface`: topics, headers, ids, words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from schemas import asyncapi, generate, identity, outcomes
from schemas.example_files import Example, load_examples
from schemas.model import ContractModel
from schemas.topics import CATALOGUE, Topic

PAGES = Path(__file__).resolve().parents[2] / "docs" / "contract"
SOME_ORDER = UUID("7ce7c1e0-0000-5000-8000-000000000001")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Contract:
    """What publishers and subscribers build on: schemas by type, examples, and the surface."""

    schemas: Mapping[str, Json]
    examples: tuple[Example, ...]
    surface: Json

    def topics_of(self, type_: str) -> list[Json]:
        """The topics a type lies on; a bulk command's items lie where it does."""
        type_ = generate.BULK_OWNER.get(type_, type_)
        return [t for t in self.surface["topics"].values() if type_ in t["types"]]

    def incoming(self, type_: str) -> bool:
        """Whether others write it, and we read it."""
        return any(topic["incoming"] for topic in self.topics_of(type_))


def today() -> Contract:
    """The contract as the models and pages of this checkout have it."""
    schemas = {type_: generate.json_schema(type_, model) for type_, model in models().items()}
    return Contract(schemas, load_examples(), surface())


def models() -> Mapping[str, type[ContractModel]]:
    """The model of each message type."""
    return generate.models()


def surface() -> dict[str, Any]:
    """What is contract beside the schemas; lists are sorted, so that a release's file is stable."""
    return {
        "topics": {topic.name: _topic(topic) for topic in CATALOGUE},
        "headers": _headers(),
        "ids": _ids(),
        "outcomes": sorted((outcomes.APPLIED, outcomes.NO_CHANGE, outcomes.REJECTED)),
        "event_names": dict(_event_names((PAGES / "events.md").read_text("utf-8"))),
        "reasons": dict(_reasons((PAGES / "reasons.md").read_text("utf-8"))),
    }


def _topic(topic: Topic) -> dict[str, Any]:
    return {
        # What stands after a semicolon explains the key; it is not the key.
        "key": topic.key.split(";")[0],
        "incoming": topic.incoming,
        "partitions": topic.partitions,
        "cleanup_policy": topic.cleanup_policy,
        "retention_ms": topic.retention_ms,
        "max_message_bytes": topic.max_message_bytes,
        "types": sorted(topic.models),
    }


def _headers() -> dict[str, Any]:
    """The headers of each message as a JSON Schema, by topic and type."""
    found = asyncapi.build()["components"]["messages"]
    return {
        f"{topic.name} {type_}": found[asyncapi.message_name(topic, type_)]["headers"]
        for topic in CATALOGUE
        for type_ in topic.models
    }


def _ids() -> dict[str, str]:
    """One id of each kind that the contract says how to make."""
    return {
        "order demo-shop/1001": str(identity.order_id("demo-shop", "1001")),
        "order Käse/№ 7": str(identity.order_id("Käse", "№ 7")),
        "shipment 1": str(identity.shipment_id(SOME_ORDER, 1)),
        "shipment 100": str(identity.shipment_id(SOME_ORDER, 100)),
        "claim": str(identity.claim_id(SOME_ORDER, "cmd-1")),
        "claim event": str(identity.event_id(SOME_ORDER, "claims.events", 1)),
    }


def _event_names(page: str) -> Iterator[tuple[str, str]]:
    """Each name of the catalogue, with its phase and group, as the page has it."""
    for name, phase, group in re.findall(
        r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", page, re.MULTILINE
    ):
        yield name, f"{phase} / {group}"


def _reasons(page: str) -> Iterator[tuple[str, str]]:
    """Each code as `code under heading`: one code may stand under several headings."""
    heading = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif code := re.match(r"\| `([a-z_]+)` \|", line):
            yield f"{code[1]} ({heading})", heading
