"""The parts of the path are measured on real servers, each message in every part."""

import os

import pytest

from bench.meter import OURS, PARTS
from bench.parts import measure_parts
from bench.traffic import mix

BATCH = 50


async def test_parts_of_the_path_and_servers_all_have_a_cost(stack):
    made = mix("day", 3 * BATCH)
    pids = {"kafka": [os.getpid()]}  # Any process will do to see that its phases are measured.

    parts = await measure_parts(stack, made, batch=BATCH, rounds=1, server_pids=pids)

    ours = [part for part in parts if part.process == OURS]
    assert [part.name for part in ours] == list(PARTS)
    assert all(part.us_per_message > 0 for part in ours)
    phases = [(part.process, part.name) for part in parts if part.process != OURS]
    assert phases == [("kafka", "consume"), ("kafka", "apply"), ("kafka", "relay")]


async def test_parts_refuse_a_mix_that_fits_in_one_poll(stack):
    with pytest.raises(ValueError, match="take 100 or more"):
        await measure_parts(stack, mix("upserts", BATCH), batch=BATCH)
