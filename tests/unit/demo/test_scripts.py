"""Scripts: the same for a seed, and their order kept where it matters."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from demo.messages import command
from demo.player import steps
from demo.script import ScriptMessage
from demo.synthetic import synthetic_script


def test_synthetic_shop_is_the_same_for_a_seed() -> None:
    assert synthetic_script(3, scale=0.1) == synthetic_script(3, scale=0.1)
    assert synthetic_script(3, scale=0.1) != synthetic_script(4, scale=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_shuffling_keeps_every_message_and_the_order_within_a_key(seed: int) -> None:
    script = synthetic_script(seed, scale=0.1)
    shuffled = script.shuffled(seed)

    assert sorted(map(repr, shuffled.messages)) == sorted(map(repr, script.messages))
    assert _lanes(shuffled.messages) == _lanes(script.messages)
    assert shuffled.messages != script.messages


def test_steps_never_split_one_instant() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = (0, 1, 1, 3, 3, 9)
    messages = [
        command(f"shop/{at}", "order.cancel", {}, start + timedelta(hours=at), id_=str(number))
        for number, at in enumerate(hours)
    ]

    cut = [[message.at for message in step] for step in steps(messages, timedelta(hours=2))]

    assert [[(at - start) // timedelta(hours=1) for at in step] for step in cut] == [
        [0, 1, 1],
        [3, 3],
        [9],
    ]


@pytest.mark.parametrize("seed", range(5))
def test_step_ends_where_a_message_must_be_answered_before_the_next(seed: int) -> None:
    messages = synthetic_script(seed, scale=0.1).messages

    cut = list(steps(messages, timedelta(days=1)))

    early = [step for step in cut if any(each.is_answered_in_time for each in step)]
    assert early
    assert all(step[-1].is_answered_in_time for step in early)
    assert [message for step in cut for message in step] == list(messages)


def _lanes(messages: tuple[ScriptMessage, ...]) -> dict[str, list[bytes | None]]:
    found: dict[str, list[bytes | None]] = defaultdict(list)
    for message in messages:
        if message.order_key:
            found[message.order_key].append(message.value)
    return found
