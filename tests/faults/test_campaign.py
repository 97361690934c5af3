"""The campaign itself: what it draws, that it is clean, and that it catches what is planted."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from chaos import plan, points
from chaos.patching import NameGone, patch
from chaos.traffic import Traffic

COUNTS = "lost=0 duplicated=0 reordered=0 torn=0"
SECONDS = 400


def test_a_hundred_rounds_kill_three_hundred_times_and_at_every_point() -> None:
    for seed in range(5):
        drawn = [plan.draw(seed, number) for number in range(1, 101)]

        assert sum(map(plan.kills_in, drawn)) >= 300
        known = Counter(fault.point for faults in drawn for fault in faults if fault.point)
        assert set(known) == {*points.CONSUMING, *points.PUBLISHING}
        assert min(known.values()) >= 10
        assert {fault.kind for faults in drawn for fault in faults} >= {
            plan.KILL, plan.TERMINATE, plan.FREEZE, plan.STORM, plan.KILL_KAFKA,
            plan.KILL_POSTGRES, plan.CUT, plan.LOCK_TABLE, plan.LOCK_ROWS,
            plan.DELAY, plan.SILENCE, plan.RESET,
        }  # fmt: skip


def test_a_seed_draws_the_same_traffic_and_faults_again() -> None:
    first, second = Traffic(5, 3), Traffic(5, 3)

    for number in range(1, first.last_round + 1):
        assert first.round(number) == second.round(number)
        assert plan.draw(5, number) == plan.draw(5, number)
    assert [diary.cities for diary in first.diaries] == [diary.cities for diary in second.diaries]
    assert first.round(first.last_round + 1) == []


def test_a_name_that_is_gone_is_told_and_not_passed_over() -> None:
    with pytest.raises(NameGone, match=r"BatchConsumer\.no_such_name"):
        patch("services.runtime.consumer.consumer:BatchConsumer.no_such_name", lambda found: found)


def campaign(project_folder: Path, reports: Path, *arguments: str) -> tuple[int, str]:
    """Run `make chaos` as it is run by hand: exit code and what it wrote."""
    ran = subprocess.run(
        [sys.executable, "-m", "chaos", "--reports", str(reports), *arguments],
        cwd=project_folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return ran.returncode, ran.stdout


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 10)
@pytest.mark.parametrize(
    ("publication", "rounds", "repeats"),
    [("at_least_once", 3, r"\d+"), ("exactly_once", 2, "0")],
)
def test_nothing_is_lost_doubled_reordered_or_torn(
    project_folder: Path, tmp_path: Path, publication: str, rounds: int, repeats: str
) -> None:
    chosen = ("--seed", "11", "--rounds", f"{rounds}", "--publication", publication)
    code, written = campaign(project_folder, tmp_path, *chosen)

    last = written.splitlines()[-1]
    right = rf"chaos: seed=11 rounds={rounds} kills=\d+ messages=\d+ {COUNTS} repeats={repeats}"
    assert re.fullmatch(right, last), written
    assert code == 0
    report = json.loads((tmp_path / "chaos-11.json").read_text())
    assert report["kills"] >= 3 * rounds
    assert report["messages"] > 250 * rounds


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 10)
def test_what_is_found_is_told_with_the_way_to_see_it_again(
    project_folder: Path, tmp_path: Path
) -> None:
    code, written = campaign(
        project_folder, tmp_path, "--rounds", "1", "--plant", "shards_at_random"
    )

    assert code == 1
    again = "--seed 1 --rounds 1 --publication at_least_once --plant shards_at_random"
    assert f"again with: python -m chaos {again}" in written
    assert "  reordered: " in written
    report = json.loads((tmp_path / "chaos-1.json").read_text())
    assert report["findings"]
    assert report["counts"]["reordered"] > 0
