"""What a run says: of a low ceiling, of interpreters, and in its last line."""

from datetime import UTC, datetime

import pytest

from bench.lap import Lap
from bench.latency import Latency
from bench.results import Race, Results, build_flags
from bench.tables import ceiling_line, interpreters_line, race_table


def lap(rate, contender="ceiling", interpreter="/usr/bin/python3"):
    return Lap(
        contender=contender,
        mix="upserts",
        messages=40_000,
        replicas=1,
        seconds=10.0,
        messages_per_s=rate,
        items_per_s=rate,
        cpu_us={"process": 200.0, "kafka": 40.0, "postgres": 60.0},
        rss_mb=100.0,
        outcomes=40_000,
        events=40_000,
        load_per_s=20_000.0,
        interpreter=interpreter,
    )


def test_ceiling_as_high_as_the_known_one_is_stated_alone():
    assert ceiling_line(Race("upserts", [lap(9_000.0)]), cores=4) == "ceiling: 9,000 upserts/s"


def test_ceiling_below_the_known_one_is_explained():
    line = ceiling_line(Race("upserts", [lap(4_000.0)]), cores=2)

    assert line.startswith("ceiling: 4,000 upserts/s, where 8,400/s were measured")
    assert "of 2 cores it kept busy process 0.80, kafka 0.16, postgres 0.24; 0.80 went" in line


def test_ceiling_that_was_not_measured_is_not_mentioned():
    assert ceiling_line(Race("upserts", [lap(900.0, "ours")]), cores=2) is None


RATES = {
    "ours": 6_000.0,
    "ceiling": 8_000.0,
    "ceiling-strengthened": 12_000.0,
    "textbook": 100.0,
    "faststream-outbox": 60.0,
}


def results(rates, latencies=()):
    laps = [lap(rate, contender) for contender, rate in rates.items()]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    races = [Race("upserts", laps), Race("day", [lap(5_000.0, "ours")])]
    return Results(at, False, 1, {}, races=races, latencies=list(latencies))


def test_last_line_has_both_ceilings_and_the_latency_at_a_fifth_of_full_load():
    def latency(p99):
        return Latency(1_000.0, 200, {"p99": p99}, {"p99": 1.0})

    run = results(RATES, [(None, latency(99.0)), (0.2, latency(21.0)), (0.5, latency(77.0))])

    assert run.last_line() == (
        "bench: commands_per_s=6000 vs_ceiling=0.75 vs_strengthened=0.50 vs_textbook=60.0 "
        "vs_faststream_outbox=100.0 p99_ms=21.0 rss_mb=100"
    )


def test_last_line_has_nan_for_what_was_not_measured():
    assert "vs_strengthened=not_measured" in results({"ours": 6_000.0}).last_line()


def test_memory_table_has_every_race():
    assert results(RATES).rss_mb_by_mix == {"upserts": 100.0, "day": 100.0}


def test_race_table_compares_with_both_ceilings():
    table = race_table(results(RATES).races[0])
    columns = {column.header: list(column.cells) for column in table.columns}

    assert columns["of ceiling"][0] == "0.75"
    assert columns["of strength."][0] == "0.50"
    assert columns["seconds"][0] == "10.0"


def test_interpreters_are_named_when_they_differ():
    same = {"ours": {"/usr/bin/python3"}, "ceiling": {"/usr/bin/python3"}}
    assert interpreters_line(same).startswith("all contenders ran on /usr/bin/python3")

    other = {**same, "ceiling": {"/opt/python3"}}
    assert "ceiling on /opt/python3" in interpreters_line(other)


@pytest.mark.parametrize(
    ("configured", "flags"),
    [
        ("'--prefix=/usr' '--enable-shared'", {"pgo": False, "lto": False}),
        ("'--enable-optimizations' '--with-lto'", {"pgo": True, "lto": True}),
        ("'--enable-optimizations' '--with-lto=thin'", {"pgo": True, "lto": True}),
        ("'--enable-optimizations' '--with-lto=no'", {"pgo": True, "lto": False}),
        ("", {"pgo": False, "lto": False}),
        ("'--with-wheel-pkg-dir=/usr/share/python-wheels/'", {"pgo": True, "lto": False}),
    ],
)
def test_interpreter_build_is_described(configured, flags):
    assert build_flags(configured) == flags
