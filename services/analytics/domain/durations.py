"""Buckets of durations: histograms of whole numbers, from which percentiles are read.

A bucket is a range of whole seconds. Below 128 seconds it holds one value; from there on each
doubling has 64 buckets of equal width, so that the middle of a bucket is at most 1/128 (0.8 %) of
its values away from any of them. The database function `duration_bucket` has the same buckets.
"""

from __future__ import annotations

ERROR_MAX = 1 / 128
"""How far a percentile may be from the exact one, as a share of it."""
_EACH_DOUBLING = 64


def bucket_of(seconds: int) -> int:
    """The bucket of a duration of 0 seconds or more."""
    shift = max(0, seconds.bit_length() - _EACH_DOUBLING.bit_length())
    return shift * _EACH_DOUBLING + (seconds >> shift)


def middle_of(bucket: int) -> float:
    """The middle of the seconds in a bucket."""
    shift = max(0, bucket // _EACH_DOUBLING - 1)
    low = (bucket - shift * _EACH_DOUBLING) << shift
    return low + ((1 << shift) - 1) / 2


def value_between(low: int, high: int, share: float) -> int:
    """Whole seconds between the middles of two buckets; `share` of the way from `low` to `high`."""
    begin = middle_of(low)
    return round(begin + (middle_of(high) - begin) * share)
