"""One million changed payloads of all dialects: no exception leaves a parser."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from services.orders.messages.carriers.registry import DIALECTS
from tests.unit.orders.mutated_payloads import endings

PAYLOADS = 1_000_000
SEEDS = 40
PROCESSES = 2
KNOWN = ("items", "refused")


def ended(count, seeds, processes):
    """How payloads end, over all seeds."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        found = pool.map(endings, seeds, [count // len(seeds)] * len(seeds))
        return sum(found, Counter())


def check(found):
    assert not [key for key in found if key[1] not in KNOWN]
    for name in DIALECTS:
        assert min(found[name, "items"], found[name, "refused"]) > 0, name


def test_payloads_end_in_items_or_refusals():
    check(endings(18, 6_000))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_million_payloads_end_in_items_or_refusals():
    found = ended(PAYLOADS, range(SEEDS), PROCESSES)

    check(found)
    assert found.total() >= PAYLOADS
