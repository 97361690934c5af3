"""For any items, names, failures and retries: each name's items end in the order they came."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime.batch.items import Kind, QueuePosition
from services.runtime.parking.gate import ParkingGate
from tests.unit.runtime.parking.builders import BUG, a_batch, a_row, a_slot, an_entrant

NAMES = "ABCDE"
# An item: its names, and how often it fails before it goes through.
ITEMS = st.tuples(st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3), st.integers(0, 3))
# A batch of new items, or a retry of some rows of the queue (chosen by a number each).
STEPS = st.lists(
    st.one_of(
        st.lists(ITEMS, min_size=1, max_size=6),
        st.frozensets(st.integers(0, 30), max_size=10).map(tuple),
    ),
    max_size=12,
)


class Pipeline:
    """The queue as Postgres holds it, and items decided through lanes."""

    def __init__(self):
        self.arrived = {}
        self.failures = {}
        self.queue = {}
        self.ended = []
        self._ids = iter(range(1, 10_000))

    def arrive(self, items):
        """A batch of new items, and which of them were delayed though nothing held them."""
        lanes = ParkingGate(a_batch(), self._held({}))
        for names, failures in items:
            slot = a_slot(len(self.arrived))
            self.arrived[slot], self.failures[slot] = names, failures
            self._offer(lanes, slot)
        self._keep(lanes)

    def retry(self, chosen):
        """Some of the queue again, in its order."""
        places = sorted(self.queue)
        rows = tuple(self.queue[p] for n, p in enumerate(places) if n in chosen)
        lanes = ParkingGate(a_batch(retried=rows), self._held({row.place for row in rows}))
        for row in rows:
            self._offer(lanes, row.slot)
        self._keep(lanes)

    def drain(self):
        """Retry everything until nothing is left."""
        while self.queue:
            self.retry(range(len(self.queue)))

    def _held(self, retried):
        held = {}
        for place in sorted(self.queue):
            for name in self.queue[place].names:
                if place not in retried:
                    held.setdefault(name, place)
        return held

    def _offer(self, lanes, slot):
        names = self.arrived[slot]
        entrant = an_entrant(slot, names)
        lanes.begin(slot)
        if not lanes.admits(slot, lambda: entrant):
            assert self._is_behind(slot), "an item was delayed that shares no name"
            return
        if self.failures[slot]:
            self.failures[slot] -= 1
            lanes.fail(entrant, BUG)
        else:
            lanes.settle(slot, "applied")
            self.ended.append(slot)

    def _is_behind(self, slot):
        """Whether an earlier item that shares a name has not ended."""
        return any(
            earlier.at.offset < slot.at.offset
            and earlier not in self.ended
            and not self.arrived[earlier].isdisjoint(self.arrived[slot])
            for earlier in self.arrived
        )

    def _keep(self, lanes):
        for place in lanes.ended:
            del self.queue[place]
        for joining in lanes.joining:
            place = QueuePosition(next(self._ids), 0)
            slot, names = joining.entrant.slot, joining.entrant.names
            self.queue[place] = a_row(place, slot, names, joining.failure.kind)
        for staying in lanes.staying:
            row = staying.parked
            names = staying.names
            self.queue[row.place] = a_row(row.place, row.slot, names, staying.failure.kind)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_every_name_s_items_end_in_the_order_they_came(steps):
    pipeline = Pipeline()
    for step in steps:
        if isinstance(step, tuple):
            pipeline.retry(step)
        else:
            pipeline.arrive(step)
    pipeline.drain()

    assert sorted(pipeline.ended, key=lambda slot: slot.at.offset) == list(pipeline.arrived)
    for name in NAMES:
        mine = [slot.at.offset for slot in pipeline.ended if name in pipeline.arrived[slot]]
        assert mine == sorted(mine)


@given(st.lists(ITEMS, min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_an_item_whose_names_nobody_holds_is_never_delayed(items):
    pipeline = Pipeline()

    pipeline.arrive(items)

    waiting = {row.slot for row in pipeline.queue.values()}
    failed = {row.slot for row in pipeline.queue.values() if row.failure.kind is not Kind.BEHIND}
    for slot in pipeline.arrived:
        if slot in waiting and slot not in failed:
            assert pipeline._is_behind(slot)
