"""Buckets of durations: each value has one, near its middle, in the order of the values."""

from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.durations import ERROR_MAX, bucket_of, middle_of, value_between

SECONDS = st.integers(0, 2**34)


@given(SECONDS)
def test_middle_of_a_bucket_is_near_each_of_its_values(seconds):
    assert abs(middle_of(bucket_of(seconds)) - seconds) <= seconds * ERROR_MAX


@given(SECONDS)
def test_buckets_follow_each_other_without_gaps(seconds):
    assert bucket_of(seconds + 1) - bucket_of(seconds) in (0, 1)


def test_bucket_below_128_seconds_holds_one_value():
    assert [bucket_of(seconds) for seconds in range(128)] == list(range(128))
    assert [middle_of(bucket) for bucket in range(128)] == list(range(128))


def test_value_between_two_buckets_is_a_share_of_the_way():
    assert value_between(10, 20, 0.25) == 12
    assert value_between(10, 10, 0.5) == 10
