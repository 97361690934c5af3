"""When a failed delivery is tried again, when that ends, and when a destination is left alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliveries.domain.schedule import (
    CLOSED,
    DELAYS,
    DISABLED_AFTER,
    OPENS_AFTER,
    RETRY_AFTER_MAX,
    Answer,
    Circuit,
    Verdict,
    judge,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MIDDLE = 0.5  # No jitter.


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_attempt_of_2xx_is_delivered(status):
    assert judge(Answer(status), 1, NOW, MIDDLE).verdict is Verdict.DELIVERED


def test_record_of_a_feed_that_kafka_has_is_delivered():
    written = Answer(None, is_written=True)

    assert judge(written, 1, NOW, MIDDLE).verdict is Verdict.DELIVERED
    assert (written.is_success, written.is_outage) == (True, False)


@pytest.mark.parametrize(
    ("answer", "is_outage"),
    [
        (Answer(None, "Kafka has no topic"), True),
        (Answer(None, "too large", is_receivers=False), False),
        (Answer(503), True),
        (Answer(404), False),
    ],
    ids=["no answer", "one record", "5xx", "one event"],
)
def test_attempt_in_vain_says_whether_the_destination_takes_anything(answer, is_outage):
    assert answer.is_outage is is_outage


def test_attempt_of_410_ends_the_destination():
    assert judge(Answer(410), 1, NOW, MIDDLE).verdict is Verdict.GONE


@pytest.mark.parametrize(
    ("answer", "attempts", "seconds"),
    [
        (Answer(None, "no answer"), 1, 5),
        (Answer(500), 1, 5),
        (Answer(500), 2, 60),
        (Answer(502), 3, 300),
        (Answer(301), 1, 5),
        (Answer(302), 4, 1_800),
        (Answer(400), 1, 300),
        (Answer(404), 2, 300),
        (Answer(404), 4, 1_800),
        (Answer(429), 1, 5),
        (Answer(429, None, 90.0), 1, 90),
        (Answer(503, None, 2.0), 1, 5),
        (Answer(503, None, 7_200.0), 2, 7_200),
        (Answer(503, None, 10_000_000.0), 1, 86_400),
        (Answer(500, None, 90.0), 1, 5),
        (Answer(400, None, 9_000.0), 1, 300),
    ],
    ids=str,
)
def test_attempt_that_failed_is_repeated_after(answer, attempts, seconds):
    following = judge(answer, attempts, NOW, MIDDLE)

    assert following.verdict is Verdict.RETRY
    assert following.due_at == NOW + timedelta(seconds=seconds)


def test_attempts_go_on_for_over_three_days_and_then_end():
    assert sum(DELAYS, timedelta()) > timedelta(days=3)
    assert judge(Answer(500), len(DELAYS), NOW, MIDDLE).verdict is Verdict.RETRY
    assert judge(Answer(500), len(DELAYS) + 1, NOW, MIDDLE).verdict is Verdict.EXHAUSTED


@given(
    st.one_of(st.none(), st.integers(100, 599)),
    st.integers(1, len(DELAYS)),
    st.floats(0, 1),
    st.one_of(st.none(), st.floats(-1e12, 1e12)),
)
def test_retry_is_never_at_once_and_never_after_more_than_two_days(status, attempts, random, after):
    following = judge(Answer(status, None, after), attempts, NOW, random)

    if following.due_at:
        pause = following.due_at - NOW
        assert timedelta(seconds=4) < pause <= max(DELAYS[-1] * 1.1, RETRY_AFTER_MAX)


def failed(times, circuit=CLOSED, at=NOW):
    """The circuit after so many failures at one moment."""
    for _ in range(times):
        circuit = circuit.after_failure(at, MIDDLE)
    return circuit


def test_circuit_opens_after_failures_in_a_row():
    assert not failed(OPENS_AFTER - 1).is_open
    assert failed(OPENS_AFTER).is_open


def test_circuit_that_is_open_lets_one_probe_through_when_its_time_is_over():
    circuit = failed(OPENS_AFTER)

    assert not circuit.may_send(NOW)
    assert circuit.may_send(NOW + timedelta(seconds=5))


def test_circuit_stays_open_longer_after_each_probe_that_failed():
    pauses, circuit = [], failed(OPENS_AFTER)
    for _ in range(8):
        probed_at = circuit.open_until
        circuit = failed(1, circuit, probed_at)
        pauses.append((circuit.open_until - probed_at).total_seconds())

    assert pauses == [15, 30, 60, 120, 300, 300, 300, 300]


def test_circuit_is_not_kept_open_longer_by_requests_from_before_it_opened():
    opened = failed(OPENS_AFTER)
    circuit = failed(7, opened)

    assert (circuit.open_until, circuit.probes) == (opened.open_until, opened.probes)
    assert circuit.failures == OPENS_AFTER + 7


@pytest.mark.parametrize(
    ("circuit", "is_hopeless"),
    [
        (CLOSED, False),
        (Circuit(4, NOW - DISABLED_AFTER), False),
        (Circuit(5, NOW - DISABLED_AFTER + timedelta(seconds=1), NOW), False),
        (Circuit(5, NOW - DISABLED_AFTER, NOW), True),
    ],
)
def test_destination_is_hopeless_after_three_days_without_success(circuit, is_hopeless):
    assert circuit.is_hopeless(NOW) is is_hopeless
