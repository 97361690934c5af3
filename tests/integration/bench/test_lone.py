"""A lone message's way is measured on real servers, and its steps leave nothing out."""

import pytest

from bench.lone import BESIDE, KAFKA, STATEMENT, STEPS, TRANSACTION, WHOLE, measure, table
from bench.race import Track
from bench.traffic import mix

WARM, COUNTED = 2, 5


async def test_lone_message_steps_add_up_to_its_latency(stack, tmp_path):
    letters = mix("upserts", WARM + COUNTED).letters
    async with Track(stack, {}, tmp_path, print).ground() as ground:
        found = await measure(ground, letters, warm=WARM)

    counted = [dict(letter.headers)["ce_id"].decode() for letter in letters[WARM:]]
    assert list(found.moments) == counted
    steps = [found.seconds(began, ended) for _, began, ended in STEPS]
    # The relay may begin to read between the commit and its answer to the batch.
    ordered = [found.seconds(*each[1:]) for each in (*STEPS, BESIDE[0]) if each[2] != "looked"]
    assert all(seconds > 0 for each in ordered for seconds in each)
    added = [sum(each) for each in zip(*steps, strict=True)]
    assert added == pytest.approx(found.seconds(*WHOLE[1:]))
    assert {name: len(each) for name, each in found.bare.items()} == dict.fromkeys(
        (KAFKA, TRANSACTION, STATEMENT), COUNTED
    )
    assert table(found).row_count == len(STEPS) + 1 + len(BESIDE) + len(found.bare) + 1
