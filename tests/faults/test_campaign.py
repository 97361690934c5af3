"""The campaign itself: what it draws, that it is clean, and that it catches what is planted."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from chaos import patching, plan, points
from chaos.campaign import Wanted, play
from chaos.numbers.draw import KINDS, STAGES_MAX, draw_cases
from chaos.patching import NameGone, patch
from chaos.planted import never_called
from chaos.stage import grounded
from chaos.traffic import BEGINS_AT, Traffic

COUNTS = "lost=0 duplicated=0 reordered=0 torn=0"
SECONDS = 600


def test_plan_of_a_hundred_rounds_kills_three_hundred_times_and_at_every_point() -> None:
    for seed in range(5):
        drawn = [plan.draw(seed, number) for number in range(1, 101)]

        assert sum(map(plan.kills_in, drawn)) >= 300
        known = Counter(fault.point for faults in drawn for fault in faults if fault.point)
        assert set(known) == {
            *points.CONSUMING, *points.PUBLISHING, *points.ACCEPTING, *points.SENDING,
        }  # fmt: skip
        assert min(known.values()) >= 10
        assert {fault.kind for faults in drawn for fault in faults} >= {
            plan.KILL, plan.TERMINATE, plan.FREEZE, plan.STORM, plan.KILL_KAFKA,
            plan.KILL_POSTGRES, plan.CUT, plan.LOCK_TABLE, plan.LOCK_ROWS,
            plan.DELAY, plan.SILENCE, plan.RESET, plan.RECEIVERS,
        }  # fmt: skip
        struck = Counter(fault.kind for faults in drawn for fault in faults
                         if fault.target == plan.GATEWAY)  # fmt: skip
        assert struck[plan.KILL] >= 20
        assert struck[plan.KILL_AT] >= 40
        assert struck[plan.TERMINATE] >= 20
        failing = Counter(fault.target for faults in drawn for fault in faults
                          if fault.kind == plan.RECEIVERS)  # fmt: skip
        assert set(failing) == set(plan.MANNERS)
        assert min(failing.values()) >= 40


def test_seed_draws_the_same_traffic_and_faults() -> None:
    first, second = Traffic(5, 3), Traffic(5, 3)

    for number in range(1, first.last_round + 1):
        assert first.round(number) == second.round(number)
        assert plan.draw(5, number) == plan.draw(5, number)
    assert [diary.cities for diary in first.diaries] == [diary.cities for diary in second.diaries]
    assert first.round(first.last_round + 1) == []


def test_traffic_begins_dozens_of_cases_of_each_kind_in_a_round() -> None:
    cases = list(draw_cases(5, 1, BEGINS_AT))
    dozens = {kind.__name__ for count, kind in KINDS if count >= 24}

    assert len({case.name for case in cases}) == sum(count for count, _ in KINDS)
    assert dozens == {"one_box", "two_shops", "reused", "voided", "replaced", "placeholder"}
    assert all(2 <= len(case.stages) == len(case.answers) <= STAGES_MAX for case in cases)


def test_traffic_publishes_each_stage_of_a_case_in_a_round_of_its_own() -> None:
    traffic = Traffic(5, 1)
    rounds = [traffic.round(number) for number in range(1, traffic.last_round + 1)]

    for case in traffic.cases[1]:
        for stage, lists in enumerate(case.stages):
            for messages in lists:
                published = [each for each in rounds[stage] if each in messages]
                firsts = list(dict.fromkeys(published))
                assert firsts == messages, "all of the stage, those of one list in their order"


def test_traffic_repeats_commands_after_hundreds_of_others_on_their_order() -> None:
    traffic = Traffic(5, 1)
    first, second = traffic.round(1), traffic.round(2)

    (diary,) = (each for each in traffic.diaries if each.number == "1-long")
    published = [each for each in first if each.order_key == diary.key]
    again = [each for each in second if each.order_key == diary.key]

    assert len({each.value for each in published}) == len(diary.cities) == 200
    assert again[:1] == published[:1]
    assert len({each.value for each in again}) == 8


def test_patch_of_a_missing_name_raises() -> None:
    with pytest.raises(NameGone, match=r"BatchConsumer\.no_such_name"):
        patch("services.runtime.consumer.consumer:BatchConsumer.no_such_name", lambda found: found)


def test_patch_is_reported_when_made_and_when_first_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("kill", "kills_in", "draw"):
        monkeypatch.setattr(plan, name, lambda *_: 0, raising=False)
    reports: list[tuple[str, str]] = []

    with patching.reporting(lambda event, place: reports.append((event, place))):
        patch("chaos.plan:kills_in", lambda _: len)
        patch("chaos.plan:draw", lambda found: found)
    patch("chaos.plan:kill", lambda found: found)

    assert [plan.kills_in([]), plan.kills_in([])] == [0, 0]
    assert reports == [
        (patching.PATCHED, "chaos.plan:kills_in"),
        (patching.PATCHED, "chaos.plan:draw"),
        (patching.CALLED, "chaos.plan:kills_in"),
    ]


def test_never_called_names_patches_that_no_replica_called(tmp_path: Path) -> None:
    program = (
        "from chaos import planted\n"
        "planted.plant('dedup_off'); planted.plant('parking_without_queue')\n"
        "from services.orders import store\n"
        "assert store._unpack(b'') == ()\n"
    )
    log = tmp_path / "orders-1.log"
    with log.open("w") as stderr:
        subprocess.run([sys.executable, "-c", program], stderr=stderr, check=True)
    other = tmp_path / "orders-2.log"
    other.write_text('{"event": "ready"}\nnot JSON\n')

    assert never_called([log, other]) == ["services.runtime.parking.gate:ParkingGate._is_held"]


@pytest.mark.stack
@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 10)
async def test_point_that_is_never_reached_is_reported(tmp_path: Path) -> None:
    point = points.PLACED_COMMITTED  # The claims service reads no `order.place`.
    fault = plan.Fault(plan.KILL_AT, "claims-1", 0.3, point=point)
    wanted = Wanted(seed=3, rounds=1, reports=tmp_path, faults=[[fault]])
    lines: list[str] = []

    async with grounded(tmp_path) as ground:
        result = await play(ground, tmp_path, wanted, lines.append)

    first = result.campaign.played[0]
    assert first.missed == {point: 1}
    assert result.campaign.points == {f"{plan.KILL_AT} {point} (not reached)": 1}
    assert any(line.endswith(f"| not reached: {point} (1)") for line in lines), lines
    assert result.is_clean


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
    [
        ("at_least_once", 1, r"\d+"),
        pytest.param("at_least_once", 3, r"\d+", marks=pytest.mark.long),
        pytest.param("exactly_once", 2, "0", marks=pytest.mark.long),
    ],
)
def test_campaign_loses_doubles_reorders_and_tears_nothing(
    project_folder: Path, tmp_path: Path, publication: str, rounds: int, repeats: str
) -> None:
    chosen = ("--seed", "11", "--rounds", f"{rounds}", "--publication", publication)
    code, written = campaign(project_folder, tmp_path, *chosen)

    last = written.splitlines()[-1]
    right = rf"chaos: seed=11 rounds={rounds} kills=\d+ messages=\d+ "
    right += rf"{COUNTS} repeats={repeats} leaked=0 deliveries=\d+"
    assert re.fullmatch(right, last), written
    assert code == 0
    report = json.loads((tmp_path / "chaos-11.json").read_text())
    assert report["kills"] >= 3 * rounds
    assert report["messages"] > 250 * rounds
    assert report["accepted_by_gateway"] > 50 * rounds
    assert report["webhooks"]["taken"] > 1_000 * rounds


@pytest.mark.stack
@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 10)
def test_campaign_prints_findings_with_the_command_that_repeats_them(
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
