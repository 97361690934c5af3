"""For any items, keys, failures and retries: the items of each key end in the order they came."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime.batch.items import FailureKind, QueuePosition
from services.runtime.parking.gate import ParkingGate
from tests.unit.runtime.parking.builders import BUG, a_batch, a_candidate, a_ref, a_row

KEYS = "ABCDE"
# An item: its keys, and how often it fails before it goes through.
ITEMS = st.tuples(st.frozensets(st.sampled_from(KEYS), min_size=1, max_size=3), st.integers(0, 3))
# A batch of new items, or a retry of some rows of the queue (chosen by a number each).
STEPS = st.lists(
    st.one_of(
        st.lists(ITEMS, min_size=1, max_size=6),
        st.frozensets(st.integers(0, 30), max_size=10).map(tuple),
    ),
    max_size=12,
)


class Pipeline:
    """The queue as Postgres holds it, and items that pass the gate."""

    def __init__(self):
        self.arrived = {}
        self.failures = {}
        self.queue = {}
        self.ended = []
        self._ids = iter(range(1, 10_000))

    def arrive(self, items):
        """Decide a batch of new items."""
        gate = ParkingGate(a_batch(), self._held({}))
        for keys, failures in items:
            ref = a_ref(len(self.arrived))
            self.arrived[ref], self.failures[ref] = keys, failures
            self._offer(gate, ref)
        self._keep(gate)

    def retry(self, chosen):
        """Decide some rows of the queue again, in its order."""
        positions = sorted(self.queue)
        rows = tuple(self.queue[p] for n, p in enumerate(positions) if n in chosen)
        gate = ParkingGate(a_batch(retried=rows), self._held({row.position for row in rows}))
        for row in rows:
            self._offer(gate, row.ref)
        self._keep(gate)

    def drain(self):
        """Retry everything until nothing is left."""
        while self.queue:
            self.retry(range(len(self.queue)))

    def _held(self, retried):
        held = {}
        for position in sorted(self.queue):
            for key in self.queue[position].keys:
                if position not in retried:
                    held.setdefault(key, position)
        return held

    def _offer(self, gate, ref):
        with gate.turn(ref, lambda: a_candidate(ref, self.arrived[ref])) as turn:
            if turn.blocked:
                assert self._is_behind(ref), "an item was delayed that shares no key"
            elif self.failures[ref]:
                self.failures[ref] -= 1
                turn.fail(BUG)
            else:
                turn.done("applied")
                self.ended.append(ref)

    def _is_behind(self, ref):
        """Whether an earlier item that shares a key has not ended."""
        return any(
            earlier.at.offset < ref.at.offset
            and earlier not in self.ended
            and not self.arrived[earlier].isdisjoint(self.arrived[ref])
            for earlier in self.arrived
        )

    def _keep(self, gate):
        for position in gate.unparked:
            del self.queue[position]
        for new in gate.newly_parked:
            position = QueuePosition(next(self._ids), 0)
            ref, keys = new.candidate.ref, new.candidate.keys
            self.queue[position] = a_row(position, ref, keys, new.failure.kind)
        for still in gate.still_parked:
            row = still.parked
            self.queue[row.position] = a_row(row.position, row.ref, still.keys, still.failure.kind)


@given(STEPS)
@settings(max_examples=300)
def test_parking_ends_the_items_of_each_key_in_the_order_they_came(steps):
    pipeline = Pipeline()
    for step in steps:
        if isinstance(step, tuple):
            pipeline.retry(step)
        else:
            pipeline.arrive(step)
    pipeline.drain()

    assert sorted(pipeline.ended, key=lambda ref: ref.at.offset) == list(pipeline.arrived)
    for key in KEYS:
        mine = [ref.at.offset for ref in pipeline.ended if key in pipeline.arrived[ref]]
        assert mine == sorted(mine)


@given(st.lists(ITEMS, min_size=1, max_size=12))
@settings(max_examples=200)
def test_parking_never_delays_an_item_whose_keys_are_free(items):
    pipeline = Pipeline()

    pipeline.arrive(items)

    waiting = {row.ref for row in pipeline.queue.values()}
    failed = {
        row.ref for row in pipeline.queue.values() if row.failure.kind is not FailureKind.BEHIND
    }
    for ref in pipeline.arrived:
        if ref in waiting and ref not in failed:
            assert pipeline._is_behind(ref)
