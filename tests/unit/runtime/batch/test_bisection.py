"""The search for the items that make a batch fail, over a store that refuses some of them."""

from datetime import UTC, datetime

import pytest

from services.runtime.batch.batch import Batch
from services.runtime.batch.bisection import FAILING_MAX, NoItemFails, bisect
from services.runtime.batch.items import FailureKind, ItemFailed, ItemRef
from services.runtime.messages.records import Coordinates
from services.runtime.retry import Contended

BATCH = Batch((), datetime(2026, 3, 1, tzinfo=UTC))


def an_item(number):
    return ItemRef(Coordinates("orders.commands", 0, number), 0)


class Store:
    """Takes the items of each batch but those it refuses, as one write at the end."""

    def __init__(self, count, refused=(), errors=()):
        self._items = [an_item(number) for number in range(count)]
        self._refused = {an_item(number) for number in refused}
        self._errors = list(errors)
        self.trials = 0
        self.taken = []

    async def apply(self, batch):
        self.trials += batch.is_trial
        begun = [item for item in self._items if item not in batch.known_failures]
        begun = begun if batch.stop_after is None else begun[: batch.stop_after]
        batch.report.started.extend(begun)
        if self._errors:
            raise self._errors.pop(0)
        if self._refused.intersection(begun):
            raise ValueError("a row is refused")
        if not batch.is_trial:
            self.taken = begun


@pytest.mark.parametrize(
    ("refused", "parked"),
    [
        pytest.param((), (), id="none"),
        pytest.param((0,), (0,), id="the first"),
        pytest.param((99,), (99,), id="the last"),
        pytest.param((3, 40, 41), (3, 40, 41), id="several"),
        pytest.param(range(20, 40), range(20, 100), id="many: all from the eleventh on"),
    ],
)
async def test_bisect_parks_the_items_that_fail_and_applies_the_others(refused, parked):
    store = Store(100, refused)

    applied = await bisect(store.apply, BATCH)

    assert sorted(item.at.offset for item in applied.known_failures) == list(parked)
    assert len(store.taken) == 100 - len(parked)
    assert applied.report.started == store.taken
    assert store.trials <= 8 * (FAILING_MAX + 1)


async def test_bisect_blames_no_item_for_contention_that_passes():
    store = Store(10, errors=[Contended()])

    assert (await bisect(store.apply, BATCH)).known_failures == {}
    assert (len(store.taken), store.trials) == (10, 0)


async def test_bisect_raises_what_is_no_item_s_fault():
    with pytest.raises(Contended):
        await bisect(Store(10, errors=[Contended()]).apply, BATCH, lambda _: False)
    with pytest.raises(ConnectionResetError):
        await bisect(Store(10, errors=[ConnectionResetError()]).apply, BATCH)


async def test_bisect_takes_the_word_of_an_error_that_names_its_item():
    store = Store(10, errors=[ItemFailed(an_item(4), FailureKind.ENCODING)])

    applied = await bisect(store.apply, BATCH)

    assert [(item.at.offset, f.kind) for item, f in applied.known_failures.items()] == [
        (4, FailureKind.ENCODING)
    ]
    assert store.trials == 0


async def test_bisect_finds_no_item_where_the_batch_fails_without_any():
    async def fail(_):
        raise ValueError("nothing can be read")

    with pytest.raises(NoItemFails) as raised:
        await bisect(fail, BATCH)

    assert str(raised.value.__cause__) == "nothing can be read"
