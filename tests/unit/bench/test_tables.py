"""What a run says of the ceiling, so that nobody is flattered by a low one."""

from tests.bench.lap import Lap
from tests.bench.results import Race
from tests.bench.tables import ceiling_told


def lap(rate, contender="ceiling"):
    return Lap(
        contender=contender,
        mix="upserts",
        messages=40_000,
        replicas=1,
        messages_per_s=rate,
        items_per_s=rate,
        cpu_us={"process": 200.0, "kafka": 40.0, "postgres": 60.0},
        rss_mb=100.0,
        outcomes=40_000,
        events=40_000,
        load_per_s=20_000.0,
    )


def test_a_ceiling_as_high_as_the_known_one_is_told_and_no_more():
    assert ceiling_told(Race("upserts", [lap(9_000.0)]), cores=4) == "ceiling: 9,000 upserts/s"


def test_a_lower_one_says_what_its_time_went_into():
    told = ceiling_told(Race("upserts", [lap(4_000.0)]), cores=2)

    assert told.startswith("ceiling: 4,000 upserts/s, where 8,400/s were measured")
    assert "of 2 cores it kept busy process 0.80, kafka 0.16, postgres 0.24; 0.80 went" in told


def test_without_a_ceiling_nothing_is_told():
    assert ceiling_told(Race("upserts", [lap(900.0, "ours")]), cores=2) is None
