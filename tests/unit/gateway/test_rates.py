"""Rates: what a sender may send at once, and when again."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.access.rates import BURST_SECONDS, Rates
from services.gateway.refusal import Refused


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self):
        return self.now


def wait_of(rates, *arguments, **options):
    with pytest.raises(Refused) as refused:
        rates.take(*arguments, **options)
    assert refused.value.status == 429
    return refused.value.retry_after


def test_sender_may_send_its_burst_and_then_its_rate():
    clock = Clock()
    rates = Rates(10.0, clock)
    for _ in range(int(10 * BURST_SECONDS)):
        rates.take("a", None)

    assert wait_of(rates, "a", None) == 1
    rates.take("b", None)
    clock.now += 0.125
    rates.take("a", None)
    wait_of(rates, "a", None)


def test_rate_of_a_key_counts_before_the_setting():
    rates = Rates(1_000.0, Clock())
    rates.take("a", 0.5)

    assert wait_of(rates, "a", 0.5) == 2


def test_batch_beyond_the_burst_is_taken_when_nothing_was_sent_before():
    clock = Clock()
    rates = Rates(10.0, clock)
    rates.take("a", None, 1_000)

    assert wait_of(rates, "a", None, 1_000) == 2
    clock.now += 2
    rates.take("a", None, 1_000)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("size", [1, 2, 19, 20, 21, 1_000])
def test_batch_of_any_size_is_taken_by_one_who_waits_as_long_as_is_said(rate, size):
    """The gateway counts one message before it reads a body, and the others after."""
    clock = Clock()
    rates = Rates(rate, clock)

    def send():
        rates.take("a", None)
        rates.take("a", None, size - 1, counted=1)

    send()
    for _ in range(2):
        try:
            send()
            break
        except Refused as refused:
            clock.now += refused.retry_after
    else:
        send()


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=60))
def test_no_more_is_taken_than_rate_and_burst_allow(steps):
    clock, taken = Clock(), 0
    rates = Rates(5.0, clock)
    began = clock.now
    for pause, count in steps:
        clock.now += pause
        with contextlib.suppress(Refused):
            rates.take("a", None, count)
            taken += min(count, 10)

    assert taken <= 10 + (clock.now - began) * 5.0 + 1e-6
