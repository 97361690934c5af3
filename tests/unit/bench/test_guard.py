"""The guard of the path's cost: what it counts is always the same, and growth does not pass it."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from bench import guard
from bench.counting import Counts
from bench.pure import PARTS, count_parts
from bench.scan_costs import OWN, count_scans, payloads
from bench.traffic import MIXES, mix
from services.orders import unit_of_work
from services.orders.messages import encode, members
from services.orders.messages.carriers import foreign, registry
from services.orders.messages.carriers.fedex import parser as fedex

MIX = "day"
MESSAGES = 40
COUNT = f"""
from bench.pure import count_parts
from bench.traffic import mix
print([count_parts(mix(name, {MESSAGES})) for name in ("day", "bulk")])
"""


def measure():
    return guard.measure([MIX], MESSAGES)


def against(before):
    return list(guard.changes(before, measure()))


@pytest.fixture(scope="module")
def accepted():
    """What a message costs before anything is planted."""
    return measure()


def test_guard_counts_the_same_in_two_runs():
    assert count_parts(mix(MIX, MESSAGES)) == count_parts(mix(MIX, MESSAGES))


def test_guard_counts_the_same_in_processes_with_other_hash_seeds():
    def count(hash_seed):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        asked = [sys.executable, "-c", COUNT]
        return subprocess.run(asked, env=environment, check=True, capture_output=True).stdout

    assert count("1") == count("2") != b""


def test_guard_passes_when_costs_are_the_same(accepted, capsys):
    assert guard.judge(against(accepted)) == 0

    assert "guard: dearer=0 cheaper=0 of=" in capsys.readouterr().out


def test_guard_catches_more_python_with_part_mix_and_way_out(accepted, monkeypatch, capsys):
    decide = unit_of_work.decide

    def slow(*args):
        for _ in range(1_000):
            pass
        return decide(*args)

    monkeypatch.setattr(unit_of_work, "decide", slow)
    found = against(accepted)

    assert guard.judge(found) == 1
    grown = [change for change in found if change.is_growth]
    assert {(change.part, change.mix, change.measure) for change in grown} == {
        ("decide", MIX, "instructions")
    }
    printed = capsys.readouterr().err
    assert f"dearer: {grown[0]}" in printed
    assert printed.startswith("dearer: decide, day: ")
    assert "python -m bench.guard --write" in printed


def test_guard_catches_more_work_in_c(accepted, monkeypatch):
    def write_twice(value):
        members.to_json(value)
        return members.to_json(value)

    monkeypatch.setattr(encode, "to_json", write_twice)

    grown = {(each.part, each.measure) for each in against(accepted) if each.is_growth}
    assert grown == {("encode", "codec_bytes")}


def test_guard_reports_lower_costs_and_passes(accepted, capsys):
    dear = {
        part: {name: counts + counts for name, counts in by_mix.items()}
        for part, by_mix in accepted.items()
    }

    assert guard.judge(list(guard.changes(dear, accepted))) == 0
    assert "cheaper: decide, day: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "is_growth"),
    [
        (1_000, 1_100, False),
        (1_000, 1_101, True),
        (0, 11, True),  # There was nothing of it.
        (0, 10, False),  # And next to nothing is nothing.
        (20, 29, False),
    ],
)
def test_guard_takes_a_tenth_above_a_minimum_as_growth(before, after, is_growth):
    change = guard.Change("decode", MIX, "instructions", before, after)

    assert change.is_growth is is_growth


def test_guard_baseline_is_written_and_read_back(accepted, tmp_path):
    guard.save(accepted, tmp_path / "guard.json")

    assert guard.load(tmp_path / "guard.json") == accepted


def test_guard_refuses_a_baseline_of_another_python(accepted, tmp_path):
    path = tmp_path / "guard.json"
    guard.save(accepted, path)
    baseline = json.loads(path.read_text()) | {"python": "3.99"}
    path.write_text(json.dumps(baseline))

    with pytest.raises(ValueError, match=r"counted on Python 3\.99, .* --write"):
        guard.load(path)


def test_guard_watches_every_part_of_every_mix():
    _, baseline = guard.accepted()  # Whichever Python this is.

    scans = [each.name for each in payloads()]

    assert list(baseline) == [*PARTS, guard.SCAN]
    mixes = [*MIXES, *(f"{name}, orders.state" for name in guard.WITH_STATE)]
    assert all(list(baseline[part]) == mixes for part in PARTS)
    assert list(baseline[guard.SCAN]) == scans
    assert all(
        counts.instructions > 0 for by_mix in baseline.values() for counts in by_mix.values()
    )


def test_guard_fails_on_a_part_that_is_not_in_the_baseline(accepted):
    without = {part: costs for part, costs in accepted.items() if part != "decide"}

    with pytest.raises(ValueError, match="other parts or mixes: run"):
        against(without)


def test_guard_counts_are_of_one_message():
    assert Counts(10, 4, 1).per(4) == Counts(2.5, 1.0, 0.2)


def test_guard_has_a_line_for_each_dialect_and_our_own_form():
    assert [name.partition(",")[0] for name in count_scans()] == [
        OWN.partition(",")[0],
        *registry.DIALECTS,
    ]


def test_guard_counts_the_same_of_scans_in_two_runs():
    assert count_scans() == count_scans()


def test_guard_catches_a_dearer_parser_with_its_payload(monkeypatch, capsys):
    before = {guard.SCAN: count_scans()}
    dialect = registry.DIALECTS["fedex"]

    def twice(value):
        fedex.report(value)
        return fedex.report(value)

    slow = {**registry.DIALECTS, "fedex": replace(dialect, report=twice)}
    monkeypatch.setattr(foreign, "DIALECTS", slow)
    found = list(guard.changes(before, {guard.SCAN: count_scans()}))

    assert guard.judge(found) == 1
    assert {each.mix.partition(",")[0] for each in found if each.is_growth} == {"fedex"}
    assert "a scan, now" in capsys.readouterr().err


def test_guard_adds_missing_lines_and_keeps_accepted_ones():
    before = {"read of a scan": {"a": Counts(1), "gone": Counts(2)}}
    after = {"read of a scan": {"a": Counts(3), "b": Counts(4)}}

    assert guard.added(before, after) == {"read of a scan": {"a": Counts(1), "b": Counts(4)}}
