"""Shares of two groups compared: how far apart they are, and how sure that is.

The intervals are Wilson's of one share and Newcombe's of a difference (method 10 in R. G. Newcombe,
Interval estimation for the difference between independent proportions, 1998), at 95 %. They hold
for small groups and for shares of 0 and 1.
"""

from __future__ import annotations

from math import hypot, sqrt

from msgspec import Struct

Z_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


class Interval(Struct, frozen=True):
    """From `low` to `high`: shares from 0 to 1, differences from -1 to 1."""

    low: float
    high: float


def share_interval(hits: int, size: int) -> Interval:
    """Wilson's interval of the share `hits / size`; `size` is at least 1."""
    share = hits / size
    middle = 2 * hits + Z_95**2
    spread = Z_95 * sqrt(Z_95**2 + 4 * hits * (1 - share))
    below = 2 * (size + Z_95**2)
    return Interval((middle - spread) / below, (middle + spread) / below)


def difference_interval(hits: int, size: int, other_hits: int, other_size: int) -> Interval:
    """Newcombe's interval of the first share minus the second; both sizes are at least 1."""
    share, other = hits / size, other_hits / other_size
    mine, its = share_interval(hits, size), share_interval(other_hits, other_size)
    return Interval(
        share - other - hypot(share - mine.low, its.high - other),
        share - other + hypot(mine.high - share, other - its.low),
    )
