"""Every example is a message its readers take: by its model, by its JSON Schema, by its headers."""

from __future__ import annotations

import json
from decimal import Decimal

import jsonschema
import pytest

from schemas.commands import BulkFulfillment
from schemas.envelope import OUTGOING_HEADERS, read_headers
from schemas.example_files import Example, load_examples
from schemas.generate import json_schema
from schemas.schema_ids import schema_id
from schemas.topics import CATALOGUE, EVENT_TOPICS, TOPICS

EXAMPLES = load_examples()
NAMES = [f"{example.type}/{example.case}" for example in EXAMPLES]
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)


@every_example
def test_example_is_read_by_its_model(example: Example) -> None:
    model = TOPICS[example.topic].models[example.type]

    text = json.dumps(example.value)

    assert model.model_validate(example.value) == model.model_validate_json(text)
    assert model.model_validate(json.loads(text, parse_float=Decimal))


@every_example
def test_example_is_valid_by_its_json_schema(example: Example) -> None:
    schema = json_schema(example.type, TOPICS[example.topic].models[example.type])
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )

    sent = _without_nulls(example.value) if TOPICS[example.topic].incoming else example.value

    assert [error.message for error in validator.iter_errors(sent)] == []


@every_example
def test_example_headers_name_its_type(example: Example) -> None:
    event = read_headers(example.kafka_headers())

    assert event.type == example.type
    assert set(example.headers) <= set(OUTGOING_HEADERS)
    expected = None if TOPICS[example.topic].incoming else schema_id(example.type)
    assert event.data_schema == expected
    if example.topic in EVENT_TOPICS:
        assert event.id == example.value["event_id"]
        assert event.sequence == example.value["sequence"]
        assert event.order_version == example.value["order_version"]
        assert event.subject == example.key == example.value["order_id"]


@every_example
def test_example_written_by_its_model_is_read_again(example: Example) -> None:
    model = TOPICS[example.topic].models[example.type]
    read = model.model_validate(example.value)

    assert model.model_validate_json(read.model_dump_json(by_alias=True)) == read


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_examples_exist_for_every_type_of_every_topic(topic) -> None:
    shown = {example.type for example in EXAMPLES if example.topic == topic.name}

    assert shown == set(topic.models)


@pytest.mark.parametrize("type_", [type_ for topic in CATALOGUE[:1] for type_ in topic.models])
def test_examples_show_every_command_in_several_cases(type_: str) -> None:
    assert len(load_examples(type_)) >= 2


def test_example_bulk_items_are_read_separately() -> None:
    refused = []
    for example in load_examples("orders.fulfill_bulk"):
        for index, item in enumerate(example.value["items"]):
            try:
                BulkFulfillment.model_validate(item)
            except ValueError:
                refused.append((example.case, index))

    assert refused == [("one_bad_item", 0)]


def _without_nulls(value):
    """Null means absent in what is sent; the schemas say only what to send."""
    if isinstance(value, dict):
        return {
            name: _without_nulls(member) for name, member in value.items() if member is not None
        }
    if isinstance(value, list):
        return [_without_nulls(member) for member in value]
    return value
