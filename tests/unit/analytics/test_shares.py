"""Intervals of shares: the values that Newcombe published in 1998 (table II, method 10)."""

import pytest

from services.analytics.domain.shares import difference_interval, share_interval

PUBLISHED = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0000)),
    ((10, 10, 0, 10), (0.6075, 1.0000)),
]


@pytest.mark.parametrize(
    ("groups", "interval"), PUBLISHED, ids=lambda each: "-".join(map(str, each))
)
def test_difference_interval_is_the_published_one(groups, interval):
    found = difference_interval(*groups)

    assert (found.low, found.high) == pytest.approx(interval, abs=5e-5)


def test_share_interval_is_the_published_one():
    """Newcombe, Two-sided confidence intervals for the single proportion, 1998, method 3."""
    for (hits, size), interval in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        found = share_interval(hits, size)
        assert (found.low, found.high) == pytest.approx(interval, abs=5e-5)
