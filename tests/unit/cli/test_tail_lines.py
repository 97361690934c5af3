"""Lines of `orderflow tail` for people, over the examples of the contract."""

import json
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from orderflow.commands.tail import as_line
from schemas.example_files import Example, load_examples

EVENTS = [each for each in load_examples() if each.topic.endswith(".events")]


def line_of(example: Example) -> str:
    """The line of an example, as if it lay on its topic."""
    value = json.dumps(example.value).encode()
    headers = [(name, text.encode()) for name, text in example.headers.items()]
    record: ConsumerRecord[Any, Any] = ConsumerRecord(
        topic=example.topic,
        partition=0,
        offset=0,
        timestamp=0,
        timestamp_type=0,
        key=example.key.encode(),
        value=value,
        checksum=None,
        serialized_key_size=len(example.key),
        serialized_value_size=len(value),
        headers=headers,
    )
    return as_line(record).plain


@pytest.mark.parametrize("example", EVENTS, ids=lambda each: f"{each.type}-{each.case}")
def test_tail_line_of_an_event_has_no_number_that_the_event_lacks(example: Example) -> None:
    assert "None" not in line_of(example)


@pytest.mark.parametrize("example", load_examples("campaign.paused"), ids=lambda each: each.case)
def test_tail_line_of_a_campaign_event_names_campaign_and_state(example: Example) -> None:
    value = example.value

    assert f"{value['campaign_id']} {value['state']}" in line_of(example)


@pytest.mark.parametrize("example", load_examples("order.attributed"), ids=lambda each: each.case)
def test_tail_line_of_an_attributed_order_has_the_credit(example: Example) -> None:
    credit = example.value["event_data"]["credit"]
    shown = f"credit {credit['campaign_id']} {credit['revenue']} {credit['currency']}"

    assert shown in line_of(example)


@pytest.mark.parametrize(
    "example", load_examples("order.campaign_selected"), ids=lambda each: each.case
)
def test_tail_line_of_a_choice_has_campaign_and_rule(example: Example) -> None:
    choice = example.value["event_data"]["campaign"]
    shown = f"shows {choice.get('campaign_id') or 'no campaign'} by {choice['rule']}"

    assert shown in line_of(example)
