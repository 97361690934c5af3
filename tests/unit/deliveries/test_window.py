"""What may be sent next: one event of a group at a time, destinations in turn, within bounds."""

from collections import Counter, defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.deliveries.sending import standing
from services.deliveries.sending.window import (
    CROWDED_FROM,
    FRESH_MAX,
    PENDING_MAX,
    SHARE,
    Bounds,
    Row,
    Window,
)

BOUNDS = Bounds(requests=4, requests_of_one=2, body_bytes=1_000)


def a_row(number, destination=1, order="a", *, body_bytes=1, segment=0):
    """A delivery; rows with higher numbers are later."""
    return Row(number, 0, destination, order, f"event-{number}", 0, body_bytes, segment)


def admitted(*rows, bounds=BOUNDS, answering=range(1, 10)):
    """A window with these rows; these destinations have answered as often as it takes."""
    window = Window(bounds)
    for destination in answering:
        for _ in range(bounds.requests_of_one):
            window.answered(destination)
    assert all(window.admit(row) for row in rows)
    return window


def test_events_of_one_order_are_sent_one_after_the_other():
    first, second = a_row(1), a_row(2)
    window = admitted(first, second)

    assert list(window.start()) == [first]
    assert list(window.start()) == []
    window.delivered(first)
    assert list(window.start()) == [second]


def test_orders_of_one_destination_go_on_beside_each_other_within_its_bound():
    window = admitted(a_row(1, order="a"), a_row(2, order="b"), a_row(3, order="c"))

    assert [row.id for row in window.start()] == [1, 2]


def test_destinations_take_turns():
    rows = [a_row(n, destination=1, order=str(n)) for n in range(1, 4)]
    window = admitted(*rows, a_row(9, destination=2, order="x"))

    assert [row.id for row in window.start()] == [1, 9, 2]


def test_destinations_take_turns_while_all_requests_are_in_use():
    rows = [a_row(n, destination=1 + n % 4, order=str(n)) for n in range(40)]
    window = admitted(*rows, bounds=Bounds(requests=2, requests_of_one=2, body_bytes=1_000))
    under_way, started = list(window.start()), []
    for _ in range(8):
        window.delivered(under_way.pop(0))
        under_way += window.start()
        started.append(under_way[-1].destination)

    assert Counter(started) == dict.fromkeys(range(1, 5), 2)


def test_destination_that_fails_gets_a_request_whatever_the_bound_is():
    window = admitted(a_row(1), bounds=Bounds(requests=1, requests_of_one=1, body_bytes=1_000))
    window.unanswered(1)

    assert list(window.start()) == [a_row(1)]


def test_bodies_beyond_the_bound_wait_and_one_large_body_is_sent_alone():
    window = admitted(a_row(1, body_bytes=5_000), a_row(2, destination=2, body_bytes=1))

    assert [row.id for row in window.start()] == [1]
    assert not window.has_room()


def test_failed_event_takes_the_later_ones_of_its_order_out():
    rows = [a_row(1), a_row(2), a_row(3), a_row(4, order="b")]
    window = admitted(*rows)
    assert [row.id for row in window.start()] == [1, 4]

    assert [row.id for row in window.failed(rows[0])] == [2, 3]
    assert not window.holds((1, "a"))
    assert window.holds((1, "b"))


def test_withdrawn_destination_keeps_only_what_is_under_way():
    rows = [a_row(1), a_row(2), a_row(3, order="b"), a_row(4, order="c"), a_row(5, destination=2)]
    window = admitted(*rows)
    assert {row.id for row in window.start()} == {1, 3, 5}

    assert [row.id for row in window.withdraw(1)] == [2, 4]
    assert window.fresh_ids() == [1, 3, 5]


def test_destination_with_too_many_rows_gets_no_further_one():
    window = admitted(*(a_row(n, order=str(n), segment=None) for n in range(PENDING_MAX)))

    assert not window.admit(a_row(PENDING_MAX, order="more", segment=None))
    assert window.admit(a_row(PENDING_MAX + 1, destination=2))


def test_fresh_rows_leave_room_for_what_is_due_in_the_backlog():
    window = admitted(*(a_row(n, order=str(n)) for n in range(FRESH_MAX)))

    assert not window.admit(a_row(FRESH_MAX, order="fresh"))
    assert window.admit(a_row(FRESH_MAX + 1, order="due", segment=None))


def test_rows_in_memory_are_bounded_whatever_the_number_of_destinations():
    window = Window(BOUNDS)
    taken = Counter(
        destination
        for number in range(20)
        for destination in range(1_000)
        if window.admit(a_row(number, destination, str(number)))
    )

    assert taken.total() <= CROWDED_FROM + 1_000 * BOUNDS.requests_of_one
    assert min(taken.values()) >= BOUNDS.requests_of_one


def test_groups_of_the_backlog_are_counted_while_rows_of_them_are_here():
    backlog = {"segment": None}
    rows = [a_row(1, **backlog), a_row(2, order="b", **backlog), a_row(3, destination=2, **backlog)]
    window = admitted(*rows, a_row(4, order="fresh"), a_row(5, order="continued"))
    window.deferred(a_row(6, order="continued"))
    window.deferred(a_row(7, order="not here"))
    under_way = list(window.start())

    assert window.backlog_groups_of(1) == 3
    window.failed(under_way[0])
    assert window.backlog_groups_of(1) == 2
    window.withdraw(2)
    assert (window.backlog_groups_of(2), window.backlog_groups_of(3)) == (1, 0)


MANY = Bounds(requests=32, requests_of_one=4, body_bytes=100_000)


def rows_of(destinations, orders=8):
    """Deliveries of so many orders to each of these destinations."""
    return [
        a_row(1_000 * destination + n, destination, f"{destination}-{n}")
        for destination in destinations
        for n in range(orders)
    ]


def started(window):
    """How many requests of each destination begin now."""
    return Counter(row.destination for row in window.start())


def test_new_destination_gets_one_request_until_it_has_answered():
    window = admitted(*rows_of([1]), bounds=MANY, answering=())

    assert started(window) == {1: 1}
    assert started(window) == {}
    window.answered(1)
    assert started(window) == {1: 1}


def test_requests_of_a_destination_double_with_each_round_of_answers_up_to_its_bound():
    window = admitted(*rows_of([1], orders=30), bounds=MANY, answering=())
    rounds = []
    for _ in range(4):
        under_way = list(window.start())
        rounds.append(len(under_way))
        for row in under_way:
            window.delivered(row)
            window.answered(1)

    assert rounds == [1, 2, 4, 4]


def test_destination_that_fails_gets_one_request_at_a_time_until_it_answers():
    window = admitted(*rows_of([1]), bounds=MANY)
    window.unanswered(1)
    under_way = list(window.start())

    assert len(under_way) == 1
    window.delivered(under_way[0])
    window.answered(1)
    assert started(window) == {1: 2}


def test_destination_with_another_url_begins_anew():
    window = admitted(*rows_of([1]), bounds=MANY)
    window.forget(1)

    assert started(window) == {1: 1}


def test_new_destinations_together_get_a_part_of_the_requests():
    window = admitted(*rows_of(range(1, 101), orders=1), bounds=MANY, answering=())

    assert started(window).total() == MANY.requests // SHARE


def test_destinations_that_fail_get_a_part_of_the_requests():
    window = admitted(*rows_of(range(1, 101), orders=1), bounds=MANY, answering=())
    for destination in range(1, 101):
        window.unanswered(destination)

    assert started(window).total() == MANY.requests // SHARE


def test_first_requests_of_those_that_answer_find_room_whatever_the_others_do():
    silent, new, failing, healthy = range(1, 30), range(30, 60), range(60, 90), range(101, 105)
    window = admitted(bounds=MANY, answering=(*silent, *healthy))
    for destination in failing:
        window.unanswered(destination)
    for row in rows_of((*silent[:4], *new, *failing)):
        window.admit(row)
    assert started(window).total() < MANY.requests  # All of these stay under way.

    for row in rows_of(healthy):
        window.admit(row)

    assert set(started(window)) == set(healthy)


def test_destination_that_is_known_is_forgotten_when_too_many_are(monkeypatch):
    monkeypatch.setattr(standing, "KNOWN_MAX", 2)
    window = admitted(*rows_of([1, 2, 3]), bounds=MANY, answering=())

    for destination in (1, 2, 3):
        window.answered(destination)

    assert started(window) == {1: 1, 2: 2, 3: 2}


class WindowMachine(RuleBasedStateMachine):
    """Any order of rows, answers, failures and withdrawals."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(BOUNDS)
        self.numbers = iter(range(1, 10_000))
        self.under_way: dict[int, Row] = {}
        self.begun: dict[tuple[int, str], list[int]] = defaultdict(list)
        self.here: set[int] = set()

    @rule(destination=st.integers(1, 3))
    def answer(self, destination):
        self.window.answered(destination)

    @rule(destination=st.integers(1, 3))
    def fail(self, destination):
        self.window.unanswered(destination)

    @rule(destination=st.integers(1, 3))
    def forget(self, destination):
        self.window.forget(destination)

    @rule(destination=st.integers(1, 3), order=st.sampled_from("ab"))
    def admit(self, destination, order):
        row = a_row(next(self.numbers), destination, order)
        if self.window.admit(row):
            self.here.add(row.id)

    @rule()
    def start(self):
        for row in self.window.start():
            assert row.id not in self.under_way
            assert all(each.group != row.group for each in self.under_way.values())
            assert all(earlier < row.id for earlier in self.begun[row.group])
            self.begun[row.group].append(row.id)
            self.under_way[row.id] = row

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), is_delivered=st.booleans())
    def end(self, data, is_delivered):
        row = self.under_way.pop(data.draw(st.sampled_from(sorted(self.under_way))))
        self.here.discard(row.id)
        if is_delivered:
            self.window.delivered(row)
        else:
            self.here -= {behind.id for behind in self.window.failed(row)}

    @rule(destination=st.integers(1, 3))
    def withdraw(self, destination):
        self.here -= {row.id for row in self.window.withdraw(destination)}

    @invariant()
    def bounds_hold_and_nothing_is_forgotten(self):
        assert self.window.requests == len(self.under_way) <= BOUNDS.requests
        for destination in (1, 2, 3):
            busy = sum(row.destination == destination for row in self.under_way.values())
            assert busy <= BOUNDS.requests_of_one
            assert self.window.is_idle(destination) is (busy == 0)
        assert set(self.window.fresh_ids()) == self.here

    def teardown(self):
        """Whatever happened, all that is here can be sent: every destination answers again."""
        for destination in (1, 2, 3):
            self.window.answered(destination)
        for _ in range(len(self.here) + 1):
            for row in self.under_way.values():
                self.window.delivered(row)
            self.here -= set(self.under_way)
            self.under_way = {row.id: row for row in self.window.start()}
        assert not self.here


TestWindow = WindowMachine.TestCase
