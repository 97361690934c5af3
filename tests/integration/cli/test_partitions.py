"""`orderflow partitions`: what stands still is seen, and let go on, by a named person."""

import json
from collections.abc import Callable

import pytest

from .conftest import Database, Run

WHY = ("--why", "the cause is mended", "--by", "ana")
pytestmark = pytest.mark.usefixtures("topics")


@pytest.fixture
def stand(database: Database, topic_prefix: str) -> Callable[..., None]:
    """Stores a position of the orders service in partition 1 of its commands."""

    def store(next_offset: int, kind: str | None = None, service: str = "orders") -> None:
        topic = "orders.commands" if service == "orders" else "orders.events"
        database(
            f"INSERT INTO {service}.position (consumer_group, topic, partition, next_offset, "
            "stopped_kind, stopped_detail, stopped_at) "
            "VALUES ($1, $2, 1, $3, $4::text, CASE WHEN $4::text IS NOT NULL THEN 'too much' END, "
            "CASE WHEN $4::text IS NOT NULL THEN now() END)",
            f"{topic_prefix}orderflow.{service}",
            topic_prefix + topic,
            next_offset,
            kind,
        )

    return store


def test_partitions_list_has_all_and_status_0_when_nothing_is_wrong(run: Run, stand) -> None:
    stand(0)

    result = run("partitions", "list")

    assert result.exit_code == 0, result.output
    assert "orders.commands" in result.stdout
    assert result.stdout.splitlines()[-1] == "partitions: shown=1 stopped=0"
    assert run("partitions", "list", "--stopped").stdout == "partitions: shown=0 stopped=0\n"


def test_partitions_resume_restarts_a_stopped_one_and_records_the_act(
    run: Run, stand, database: Database
) -> None:
    stand(0, "fuse")
    listed = run("partitions", "list", "--json")
    assert listed.exit_code == 1
    found = json.loads(listed.stdout)
    assert (found["stopped_kind"], found["trouble"]) == ("fuse", "fuse: too much")

    tried = run("partitions", "resume", "orders.commands", "1", "--dry-run")
    assert "would be resumed; it was stopped: too much" in tried.stdout
    assert run("partitions", "list").exit_code == 1
    done = run("partitions", "resume", "orders.commands", "1", *WHY, "--allow", "30")

    assert done.exit_code == 0, done.output
    assert run("partitions", "list").exit_code == 0
    (row,) = database("SELECT fuse_allows FROM orders.position")
    assert row["fuse_allows"] == 30
    (act,) = [json.loads(line) for line in run("acts", "--json").stdout.splitlines()]
    assert (act["act"], act["actor"], act["reason"]) == (
        "partitions.resume",
        "ana",
        "the cause is mended",
    )


def test_position_outside_its_topic_is_shown_and_moved(run: Run, stand) -> None:
    stand(99)
    listed = run("partitions", "list")
    assert listed.exit_code == 1
    assert "outside the topic's offsets 0..0" in listed.stdout

    moved = run("partitions", "move", "orders.commands", "1", "--to", "latest", *WHY, "--json")

    assert moved.exit_code == 0, moved.output
    result = json.loads(moved.stdout)
    assert (result["was"], result["to"], result["skipped"]) == (99, 0, 0)
    assert run("partitions", "list").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resume", "orders.commands", "1", *WHY), "is not stopped"),
        (("resume", "orders.commands", "2", *WHY), "has never been read"),
        (("resume", "orders.commands", "1"), "say why"),
        (("resume", "no.such", "1", *WHY), "no topic no.such"),
        (
            ("resume", "orders.events", "1", *WHY),
            "is read by claims, analytics, deliveries: say --service",
        ),
        (("move", "orders.commands", "1", "--to", "0", *WHY), "read without trouble at 0"),
        (("move", "orders.commands", "1", "--to", "soon", *WHY), "write earliest, latest"),
        (
            ("move", "orders.commands", "1", "--to", "7", "--force", *WHY),
            "has offsets 0..0: 7 is none of them",
        ),
    ],
)
def test_partitions_refuse_invalid_arguments(run: Run, stand, arguments, said: str) -> None:
    stand(0)

    result = run("partitions", *arguments)

    assert result.exit_code in {1, 2}
    assert said in result.stderr.replace("\n", " ")


def test_partitions_need_the_service_where_several_read_a_topic(run: Run, stand) -> None:
    stand(0, "position", service="claims")

    done = run("partitions", "resume", "orders.events", "1", "--service", "claims", *WHY)

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("claims: ")
