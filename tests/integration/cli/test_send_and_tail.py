"""`orderflow send` and `orderflow tail` on a real Kafka."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

pytestmark = pytest.mark.usefixtures("topics")


def _cancel(number: int, **members: Any) -> str:
    value = {"shop_slug": "demo-shop", "id": str(number)}
    return json.dumps({"type": "order.cancel", "value": value, **members})


def test_sent_commands_can_be_read_back(run: Run) -> None:
    sent = run("send", "-", "--json", input=_cancel(1, id="c-1") + "\n\n" + _cancel(2) + "\n")
    read = run("tail", "orders.commands", "--from", "beginning", "--no-follow", "--json")

    placed = [json.loads(line)["sent"] for line in sent.stdout.splitlines()]
    found = [json.loads(line) for line in read.stdout.splitlines()]
    assert [each["line"] for each in placed] == [1, 3]
    assert {(r["partition"], r["offset"]) for r in found} == {
        (each["partition"], each["offset"]) for each in placed
    }
    first = next(record for record in found if record["headers"]["ce_id"] == "c-1")
    assert first["topic"] == "orders.commands"
    assert first["key"] == "demo-shop/1"
    assert first["value"] == {"shop_slug": "demo-shop", "id": "1"}


def test_send_refuses_all_lines_when_one_is_bad(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "commands.jsonl"
    file.write_text(f'{_cancel(1)}\n{{"type": "order.cancel", "value": {{"id": "2"}}}}\n')

    refused = run("send", str(file))
    read = run("tail", "orders.commands", "--from", "beginning", "--no-follow")

    assert refused.exit_code == 1
    assert "line 2: /shop_slug: " in refused.stderr
    assert "nothing was sent" in refused.stderr
    assert read.stdout == ""


def test_send_with_keep_going_sends_the_good_lines(run: Run) -> None:
    result = run("send", "-", "--keep-going", input=f"nonsense\n{_cancel(1)}\n")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "send: sent=1 bad=1 warnings=0"


def test_send_sends_lines_with_warnings_and_prints_them(run: Run) -> None:
    seen = {"event_name": "SORTED", "occurred_at": "2026-05-04T09:00:00Z"}
    scans = [seen, {**seen, "occurred_at": "0001-01-01T00:00:00Z"}]
    report = {"type": "tracking.reported", "value": {"tracking_number": "1Z999", "scans": scans}}

    people = run("send", "-", input=f"{_cancel(1)}\n{json.dumps(report)}\n")
    script = run("send", "-", "--json", input=json.dumps(report))

    assert (people.exit_code, script.exit_code) == (0, 0)
    assert people.stderr.startswith(
        "line 2: /scans/1: warning entry_left_out: an object is left out"
    )
    assert people.stdout.splitlines()[-1] == "send: sent=2 bad=0 warnings=1"
    (warning, sent) = map(json.loads, script.stdout.splitlines())
    assert warning["warning"].pop("detail")
    place = {"line": 1, "index": 0, "pointer": "/scans/1"}
    assert warning["warning"] == place | {"code": "entry_left_out"}
    assert sent["sent"]["line"] == 1


def test_tail_shows_one_key_and_stops_after_so_many(run: Run) -> None:
    run("send", "-", input="\n".join(_cancel(number % 2) for number in range(6)))

    read = run(
        *("tail", "orders.commands", "--from", "beginning"),
        *("--key", "demo-shop/1", "--max", "2", "--json"),
    )

    assert [json.loads(line)["key"] for line in read.stdout.splitlines()] == ["demo-shop/1"] * 2


def test_tail_shows_a_line_for_people(run: Run) -> None:
    run("send", "-", input=_cancel(1))

    (line,) = run(
        "tail", "orders.commands", "--from", "beginning", "--no-follow"
    ).stdout.splitlines()

    assert "order.cancel" in line
    assert "demo-shop/1" in line


def test_tail_says_which_campaign_a_message_is_about(run: Run) -> None:
    pause = {"shop_slug": "demo-shop", "campaign_id": "spring"}
    run("send", "-", input=json.dumps({"type": "campaign.pause", "value": pause}))

    (line,) = run(
        "tail", "orders.commands", "--from", "beginning", "--no-follow"
    ).stdout.splitlines()

    assert line.split()[-2:] == ["demo-shop", "spring"]


def test_send_reports_a_command_without_an_outcome_after_the_wait(run: Run) -> None:
    result = run("send", "-", "--wait", "--timeout", "0.5", input=_cancel(1, id="c-1"))

    assert result.exit_code == 1
    assert "no outcome within 0.5 seconds for line 1: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "advice"),
    [
        (("tail", "orders.event"), 2, "no topic orders.event; there are orders.commands"),
        (("tail", "orders.events", "--max", "0"), 2, "--max"),
        (("order", ""), 2, "write SHOP/NUMBER"),
        (("send", "nowhere.jsonl"), 1, "cannot read nowhere.jsonl: No such file"),
    ],
)
def test_send_and_tail_answer_a_wrong_argument_with_what_to_write(
    run: Run, arguments: tuple[str, ...], status: int, advice: str
) -> None:
    result = run(*arguments)

    assert result.exit_code == status
    assert advice in result.stderr


def test_missing_topic_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_TOPIC_PREFIX", "never-made.")

    result = run("tail", "orders.events", "--no-follow")

    assert result.exit_code == 1
    assert "there is no topic never-made.orders.events: run `orderflow topics" in result.stderr
