"""Which destinations are looked at for what is due: by what happened, and all once a second."""

from datetime import UTC, datetime, timedelta

import pytest

from services.deliveries.domain.schedule import CLOSED, Circuit
from services.deliveries.sending.circuits import Circuits
from services.deliveries.sending.window import Bounds, Row, Window
from services.deliveries.sending.windows import Windows

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHARD = 3
FAILING = Circuit(2, NOW)
OPEN = Circuit(5, NOW, NOW + timedelta(seconds=5), 1)
BOUNDS = Bounds(requests=8, requests_of_one=4, body_bytes=1_000)


def a_row(destination, number=1):
    """A delivery of the backlog."""
    return Row(number, SHARD, destination, f"order-{number}", f"event-{number}", 0, 1)


def loaded(*circuits):
    """Circuits of the destinations 1, 2 and so on, all of them looked at before."""
    found = Circuits()
    found.load({number: (SHARD, circuit) for number, circuit in enumerate(circuits, 1)})
    found.take_due(Windows(Window(BOUNDS), Window(BOUNDS)), {SHARD}, NOW)
    return found


@pytest.fixture
def window():
    """A window in which destinations 1 to 3 have answered once."""
    made = Window(BOUNDS)
    for destination in (1, 2, 3):
        made.answered(destination)
    return made


def test_destinations_are_looked_at_when_they_are_loaded(window):
    circuits = Circuits()
    circuits.load({1: (SHARD, CLOSED), 2: (SHARD, FAILING)})

    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {1: 2, 2: 2}
    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {}


def test_destinations_are_looked_at_after_a_result_and_no_others(window):
    circuits = loaded(FAILING, FAILING, FAILING)
    circuits.look_at(2)
    circuits.look_at(99)

    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {2: 2}


def test_all_destinations_are_looked_at_when_time_has_passed(window):
    circuits = loaded(FAILING, CLOSED)
    circuits.look_at_all()

    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {1: 2, 2: 2}


def test_written_circuit_is_looked_at(window):
    circuits = loaded(FAILING, OPEN)
    circuits.save({2: (SHARD, CLOSED)})

    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {2: 2}


def test_destinations_of_a_shard_whose_fresh_rows_were_not_read_are_looked_at_later(window):
    circuits = loaded(FAILING)
    circuits.look_at(1)

    assert circuits.take_due(Windows(window, window), set(), NOW) == {}
    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {1: 2}


def test_open_circuit_gets_one_probe_when_it_is_time(window):
    circuits = loaded(OPEN)

    for now, due in ((NOW, {}), (NOW + timedelta(seconds=5), {1: 1})):
        circuits.look_at_all()
        assert circuits.take_due(Windows(window, window), {SHARD}, now) == due


def test_open_circuit_gets_no_second_probe(window):
    circuits = loaded(OPEN)
    window.admit(a_row(1))
    list(window.start())
    circuits.look_at_all()

    assert circuits.take_due(Windows(window, window), {SHARD}, NOW + timedelta(seconds=5)) == {}


def test_groups_that_are_here_are_read_beside_those_that_may_begin(window):
    circuits = loaded(FAILING)
    window.admit(a_row(1))
    circuits.look_at_all()

    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {1: 3}


def test_forgotten_destination_is_not_looked_at(window):
    circuits = loaded(FAILING)
    circuits.forget(1)
    circuits.look_at_all()

    assert circuits.take_due(Windows(window, window), {SHARD}, NOW) == {}
    assert circuits.of(1) == CLOSED
