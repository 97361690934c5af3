"""The catalogue is complete, and what is generated from it is current and valid."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema

import schemas
from schemas import generate
from schemas.example_files import load_examples
from schemas.model import ContractModel
from schemas.topics import (
    CARRIER_TRACKING,
    CATALOGUE,
    CLAIMS_COMMANDS,
    DAY_MS,
    EVENT_TOPICS,
    FEED,
    ORDERS_COMMANDS,
    ORDERS_EVENTS,
    ORDERS_STATE,
    SHIPMENTS_EVENTS,
    TOPICS,
)
from services.orders.domain.model.decision import Topic as EventTopic
from services.runtime.config.settings import Settings

REPEATS_KNOWN_DAYS = 30
"""At least as long are applied items known: services/runtime/older_items.sql."""

EXPECTED_TOPICS = {
    "orders.commands": ("shops", 7),
    "orders.outcomes": ("orders", 7),
    "orders.events": ("orders", 30),
    "shipments.events": ("orders", 30),
    "orders.state": ("orders", 30),
    "carrier.tracking": ("carriers", 60),
    "claims.commands": ("shops", 7),
    "claims.outcomes": ("claims", 30),
    "claims.events": ("claims", 30),
    "campaigns.events": ("orders", 30),
    "portal.activity": ("tracking page", 7),
    "orders.rejected": ("orders", 30),
    "carrier.tracking.rejected": ("orders", 30),
    "claims.rejected": ("claims", 30),
    "analytics.rejected": ("analytics", 30),
    "deliveries.commands": ("shops", 7),
    "deliveries.outcomes": ("deliveries", 7),
    "deliveries.events": ("deliveries", 30),
    "deliveries.rejected": ("deliveries", 30),
}


def test_catalogue_holds_the_topics_of_the_design() -> None:
    found = {t.name: (t.writers[0], t.retention_ms // DAY_MS) for t in CATALOGUE}

    assert found == EXPECTED_TOPICS
    assert list(TOPICS) == [topic.name for topic in CATALOGUE]


def test_topics_keep_tracking_as_long_as_it_waits() -> None:
    waits = Settings.model_fields["tracking_wait_seconds"].default

    assert TOPICS[CARRIER_TRACKING].retention_ms >= waits * 1000


@pytest.mark.parametrize("name", [ORDERS_COMMANDS, CLAIMS_COMMANDS])
def test_topics_keep_commands_for_less_time_than_repeats_are_known(name: str) -> None:
    assert TOPICS[name].retention_days < REPEATS_KNOWN_DAYS


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_topics_state_all_their_properties(topic) -> None:
    assert topic.meaning
    assert topic.key
    assert topic.readers
    assert len(set(topic.readers)) == len(topic.readers)
    assert topic.models
    assert topic.partitions == 6
    assert topic.cleanup_policy == ("compact" if topic.name == ORDERS_STATE else "delete")
    assert bool(topic.compaction) is (topic.cleanup_policy == "compact")
    assert topic.max_message_bytes == 1_048_576


def _all_models() -> list[type[ContractModel]]:
    return [m for m in _subclasses(ContractModel) if m.__module__.startswith("schemas.")]


def _subclasses(model: type[ContractModel]) -> list[type[ContractModel]]:
    below = {s: None for c in model.__subclasses__() for s in (c, *_subclasses(c))}
    return list(below)


@pytest.mark.parametrize("model", _all_models(), ids=lambda model: model.__qualname__)
def test_fields_have_a_description_and_a_valid_example(model) -> None:
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no description"
        assert field.examples, f"{model.__name__}.{name} has no example"
        _check_example_fits(model, name, field.examples[0])


def _check_example_fits(model: type[ContractModel], name: str, example: object) -> None:
    field = model.model_fields[name]
    try:
        model.model_validate({field.alias or name: example})
    except ValueError as error:
        wrong = [e for e in error.errors() if e["loc"][:1] == (field.alias or name,)]
        assert not wrong, f"{model.__name__}.{name}: its example is refused: {wrong}"


def test_fields_of_money_weight_and_count_state_their_unit() -> None:
    missing = []
    for model in _all_models():
        for name, field in model.model_fields.items():
            measured = name in {"price", "weight", "quantity"} or name.endswith(
                ("_price", "_bytes")
            )
            if measured and not (field.json_schema_extra or {}).get("unit"):
                missing.append(f"{model.__name__}.{name}")

    assert missing == []


def test_contract_imports_no_other_package_of_the_project() -> None:
    foreign = set()
    for path in Path(schemas.__file__).parent.rglob("*.py"):
        if path.parent.name == "gate":
            continue  # A tool of the checkout, which nothing that runs imports.
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                # A relative import stays in the package.
                foreign.add("schemas" if node.level else (node.module or "").split(".")[0])
            elif isinstance(node, ast.Import):
                foreign |= {alias.name.split(".")[0] for alias in node.names}

    assert foreign - set(sys.stdlib_module_names) == {
        "schemas",
        "msgspec",
        "pydantic",
        "pydantic_core",
    }


def test_topics_of_the_domain_are_those_of_the_catalogue() -> None:
    """The domain may not import the contract, so it has the names of its two topics itself."""
    assert (EventTopic.ORDERS, EventTopic.SHIPMENTS) == (ORDERS_EVENTS, SHIPMENTS_EVENTS)


def test_generated_files_are_current() -> None:
    assert generate.outdated() == [], f"run: {generate.COMMAND}"


def test_generated_file_that_differs_is_named_with_the_command_to_fix_it(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(generate, "outdated", lambda: [tmp_path / "asyncapi.json"])

    assert generate.main(["--check"]) == 1

    said = capsys.readouterr()
    assert "asyncapi.json; run: python -m schemas.generate" in said.err
    assert said.out == "schemas: outdated=1\n"


def test_generated_files_are_written_changed_and_removed(tmp_path) -> None:
    generate.write(tmp_path)
    (tmp_path / "asyncapi.json").write_text("{}")
    (tmp_path / "json" / "order.place.v1.schema.json").unlink()
    (tmp_path / "json" / "order.gone.v1.schema.json").write_text("{}")

    assert len(generate.outdated(tmp_path)) == 3
    generate.write(tmp_path)
    assert generate.outdated(tmp_path) == []


@pytest.fixture(scope="module")
def document():
    return json.loads((generate.FOLDER / "asyncapi.json").read_text("utf-8"))


def test_asyncapi_document_is_valid(document) -> None:
    ApplicationSchema.model_validate(document)

    assert document["asyncapi"] == "3.0.0"


def test_asyncapi_references_all_resolve(document) -> None:
    for reference in _references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def test_asyncapi_document_has_every_topic_and_message(document) -> None:
    assert set(document["channels"]) == {*EXPECTED_TOPICS, FEED.name}
    for topic in CATALOGUE:
        channel = document["channels"][topic.name]
        settings = channel["bindings"]["kafka"]["topicConfiguration"]
        assert settings["retention.ms"] == topic.retention_ms
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
        assert topic.key in channel["description"]
        assert len(channel["messages"]) == len(topic.models)
    of_feed = document["channels"][FEED.name]
    assert of_feed["parameters"].keys() == {"slug"}
    assert set(of_feed["messages"]) == {t for name in EVENT_TOPICS for t in TOPICS[name].models}
    shown = sum(len(message["examples"]) for message in document["components"]["messages"].values())
    assert shown == len(load_examples())


def _references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for member in node.values():
            yield from _references(member)
    elif isinstance(node, list):
        for member in node:
            yield from _references(member)
