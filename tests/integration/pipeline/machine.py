"""Hypothesis drives the orders pipeline through what can happen to it, beside a plain model.

Two processes share the partitions of a log. Postgres is real, and so is everything of the service;
the log is in memory (`log.py`), where a poll can be handed out late, twice, or from the wrong place
at will. The stored positions say what was committed; `model.py` says what must have become of it.
"""

from collections import Counter
from contextlib import suppress

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.runtime.batch.items import WHOLE, QueuePosition
from services.runtime.parking import operations
from services.runtime.parking.operations import DISCARDED, SKIPPED, ParkedSelection
from tests.integration.pipeline import draws
from tests.integration.pipeline.agreement import expected_of
from tests.integration.pipeline.commands import Unread
from tests.integration.pipeline.draws import COMMAND_PARTITIONS, PARTITIONS
from tests.integration.pipeline.log import Log
from tests.integration.pipeline.messages import Message, happened
from tests.integration.pipeline.model import Model
from tests.integration.pipeline.numbers import DAY
from tests.integration.pipeline.process import Died, Process

TIMESTAMP_MS = 1_772_366_400_000
DEATHS_MIN = 2  # While it was applied alone; the death before them may have been of another record.
OTHER = {"A": "B", "B": "A"}


class Pipeline(RuleBasedStateMachine):
    """Everything that can happen, as rules."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage
        stage.empty()
        self.log = Log(COMMAND_PARTITIONS, PARTITIONS - COMMAND_PARTITIONS)
        self.model = Model()
        self.messages = []
        self.items = {}
        self.processes = {name: Process(stage, self.log) for name in "AB"}
        self.owned = dict.fromkeys("AB", frozenset())
        self.deaths = Counter()
        self.positions = dict.fromkeys(range(PARTITIONS), 0)
        self.begun = 0  # The minute when months had passed last.
        self.is_sound = False

    def run(self, work):
        """Do it; until the model is seen to agree again, nothing is known."""
        self.is_sound = False
        return self.stage.run(work)

    # Kafka.

    @initialize(owners=draws.OWNERS, contents=draws.MANY_MESSAGES)
    def begin(self, owners, contents):
        self.rebalance(owners)
        self.publish(contents, is_named=True, elsewhere=0)

    @rule(contents=draws.MESSAGES, is_named=draws.MOSTLY, elsewhere=draws.SELDOM)
    def publish(self, contents, is_named, elsewhere):
        """Mostly an order has one partition; a shop may also use other keys."""
        for commands in contents:
            ce_id = f"c-{len(self.messages)}" if is_named else None
            made = [happened(command, self.begun) for command in commands]
            self._append(Message(tuple(made), ce_id), elsewhere)

    @rule(contents=draws.MESSAGES, is_named=draws.MOSTLY, elsewhere=draws.SELDOM)
    def publish_more(self, contents, is_named, elsewhere):
        """A rule of its own has its own chance to be among those that an example uses."""
        self.publish(contents, is_named, elsewhere)

    @precondition(lambda self: self.messages)
    @rule(choices=draws.SOME, elsewhere=draws.SELDOM)
    def repeat(self, choices, elsewhere):
        """A sender without an answer sends again."""
        for choice in choices:
            self._append(self.messages[choice % len(self.messages)], elsewhere)

    def _append(self, message, elsewhere):
        number = COMMAND_PARTITIONS
        if not message.is_report:
            number = (int(message.commands[0].order) + elsewhere) % COMMAND_PARTITIONS
        record = self.log.append(
            self.log.partitions[number], message.key, message.value, message.headers, TIMESTAMP_MS
        )
        self.messages.append(message)
        self.items[number, record.offset] = message.items(number, record.offset)

    @rule(number=draws.NUMBERS)
    def leave_gap(self, number):
        self.log.leave_gap(self.log.partitions[number])

    @rule(owners=draws.OWNERS)
    def rebalance(self, owners):
        """Both processes learn it, also one that the group had given up."""
        partitions = self.log.partitions
        self.owned = {
            name: frozenset(p for p in partitions if owners[p.partition] == name)
            for name in self.processes
        }
        for process in self.processes.values():
            self.run(process.revoke())
        for name, process in self.processes.items():
            self.run(process.assign(self.owned[name]))

    @rule(name=draws.NAMES)
    def stall(self, name):
        """The group gives a process up and the process does not learn it: a zombie."""
        other = OTHER[name]
        self.owned = {name: frozenset(), other: frozenset(self.log.partitions)}
        self.run(self.processes[other].revoke())
        self.run(self.processes[other].assign(self.owned[other]))

    # Consumers.

    @rule(name=draws.NAMES, most=draws.MOST)
    def poll(self, name, most):
        """Records are in a process's hand, and stay there for a while."""
        if not self.processes[name].held:
            self.processes[name].poll(most)

    @rule(name=draws.NAMES, most=draws.MOST, fault=draws.FAULTS)
    def deliver(self, name, most, fault):
        """What a process has in hand is applied, or its next poll; or the other's."""
        for each in (name, OTHER[name]):
            process = self.processes[each]
            if not process.held:
                process.poll(most)
            if process.held:
                self._handle(each, process, fault)
                return

    @rule(name=draws.NAMES, most=draws.MOST, fault=draws.FAULTS)
    def deliver_more(self, name, most, fault):
        self.deliver(name, most, fault)

    @rule(name=draws.NAMES, most=draws.MOST, fault=draws.DEADLY, times=draws.TIMES)
    def deliver_what_kills(self, name, most, fault, times):
        """Each process that reads it dies of it, so many times."""
        for _ in range(times):
            self.deliver(name, most, fault)

    def _handle(self, name, process, fault):
        partitions = {record.partition for record in process.held}
        try:
            self.run(process.handle(fault))
        except Died:
            self._follow(process)
            self.deaths.update(self._next_of(partition) for partition in partitions)
            self._replace_process(name)
        else:
            self._follow(process)

    def _next_of(self, number):
        """Where the partition's next record lies, at which a process has died."""
        records = self.log.records[self.log.partitions[number]]
        offsets = [record.offset for record in records]
        return number, next((o for o in offsets if o >= self.positions[number]), None)

    def _follow(self, process):
        """Let the model have what the stored positions say was applied, in the order it was."""
        before, self.positions = self.positions, self.run(self.stage.positions())
        turns = {(at.partition, at.offset): turn for turn, at in enumerate(process.applied)}
        moved = []
        for partition, records in self.log.records.items():
            number = partition.partition
            assert self.positions[number] >= before[number], f"{partition} went back"
            passed = range(before[number], self.positions[number])
            offsets = [record.offset for record in records if record.offset in passed]
            stepped_over = [offset for offset in offsets if (number, offset) not in turns]
            assert not stepped_over, f"{partition} was stepped on over {stepped_over}"
            assert offsets == sorted(offsets, key=lambda offset: turns[number, offset])
            moved += [(number, offset) for offset in offsets]
        unread = self.run(self.stage.unread()) if self.deaths else ()
        for place in sorted(moved, key=turns.__getitem__):
            if place in unread:
                assert self.deaths[place] >= DEATHS_MIN, f"{place} has not killed so many processes"
                self.model.park_unread(self._unread(place))
                continue
            for item in self.items[place]:
                self.model.arrive(item)

    def _unread(self, place):
        items = self.items[place]
        key = items[0].order or items[0].command.number
        return Unread((*place, WHOLE), key, tuple(items))

    @rule(name=draws.NAMES)
    def kill(self, name):
        """A process dies with nothing begun; another one takes its place in the group."""
        self._replace_process(name)

    def _replace_process(self, name):
        self.processes[name] = Process(self.stage, self.log)
        self.run(self.processes[name].assign(self.owned[name]))

    @rule(name=draws.NAMES, places=draws.PLACES, most=draws.MOST)
    def misplace(self, name, places, most):
        """Seeks that go wrong: the next poll begins too early, or past a gap."""
        process = self.processes[name]
        for partition in process.assignment.partitions:
            place = places[partition.partition] % (self.log.end(partition) + 1)
            process.cursor.seek(partition, place)
        self.deliver(name, most, None)

    # Operators, and what runs by itself.

    @rule()
    def mend_or_break(self):
        self.model.is_mended = self.stage.is_mended = not self.model.is_mended

    @precondition(lambda self: self.model.queue)
    @rule(choice=draws.CHOICES, act=draws.ACTS)
    def act_on_one(self, choice, act):
        """On a parked item, and on what stands behind it."""
        nth = choice % len(self.model.queue)
        place = sorted(self.model.queue)[nth]
        selection = ParkedSelection(positions=(QueuePosition(*self.run(self.stage.places())[nth]),))
        line = self.model.line_of(place)
        ends = {"retry": {}, "skip": {place: SKIPPED}, "discard": dict.fromkeys(line, DISCARDED)}
        more = {} if act == "retry" else {"detail": "not wanted"}
        self.run(self.stage.act(getattr(operations, act), selection, **more))
        self.model.try_again(line, ends[act])

    @precondition(lambda self: self.model.queue)
    @rule(choice=draws.CHOICES, act=draws.ACTS)
    def act_on_one_more(self, choice, act):
        self.act_on_one(choice, act)

    @precondition(lambda self: self.model.queue)
    @rule()
    def drain(self):
        """The service tries by itself what has rested long enough: here, all of it."""
        self.run(self.stage.drains.retry_due())
        self.model.try_again(self.model.due())

    @rule(minutes=draws.MINUTES)
    def pass_time(self, minutes):
        """What waits may have waited too long."""
        self.model.minute = self.stage.clock.minute = self.model.minute + minutes
        self.run(self.stage.sweeps.sweep_once())
        self.model.sweep()

    @rule(minutes=draws.MINUTES)
    def pass_months(self, minutes):
        """So many that a number of which nothing is reported may be used again."""
        self.pass_time(61 * DAY + minutes)
        self.begun = self.model.minute

    @rule(rows=draws.ROWS, dies_after=draws.RECORDS, deletes=draws.MOSTLY)
    def relay(self, rows, dies_after, deletes):
        """The relay publishes; where it dies before the rows are gone, they are repeated."""
        with suppress(Died):
            self.run(self.stage.publish(rows, dies_after, deletes=deletes))

    # What must hold.

    @invariant()
    def agrees(self):
        """Tables and topics are the model's, after every step."""
        found = self.run(self.stage.facts())
        expected = {"positions": self.positions} | expected_of(self.model)
        for what, value in expected.items():
            assert getattr(found, what) == value, f"{what}: {getattr(found, what)}, not {value}"
        self.is_sound = True

    def teardown(self):
        """All is delivered, mended, expired and published: each item has its ending."""
        if self.is_sound:
            self._deliver_all()
            self._end_all()
            self.agrees()
            items = {item.at for items in self.items.values() for item in items}
            never_read = {item.at for item in self.model.never_read}
            assert self.model.ends.keys() == items - never_read
            assert not self.model.queue
            assert not self.model.waiting

    def _deliver_all(self):
        self.rebalance("A" * PARTITIONS)
        for _ in range(2 * len(self.items) + 2 * PARTITIONS):
            self.deliver("A", 5, None)
        ends = {p.partition: self.log.last(p) for p in self.log.partitions}
        assert self.positions == ends, f"positions {self.positions} of {ends}"

    def _end_all(self):
        if not self.model.is_mended:
            self.mend_or_break()
        if self.model.queue:
            self.drain()
            self.run(self.stage.act(operations.retry, ParkedSelection()))
            self.model.try_again(list(self.model.queue))
        self.pass_months(20)
        while self.run(self.stage.publish(100)):
            pass
