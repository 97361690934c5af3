"""`orderflow parked list|show`: what is parked is found by what is known of it, and shown whole."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.integration.orders.conftest import a_cancel, a_report

from .conftest import NOW, Database, Run
from .parking import WHY, a_poison, listed, park_by_hand

pytestmark = pytest.mark.usefixtures("bug")


def test_parked_list_has_heads_in_order_with_the_number_behind(
    run: Run, work: Callable[..., None]
) -> None:
    poison = a_poison("1")
    work(poison, a_cancel("1"), a_cancel("1"), a_poison("2"))

    result = run("parked", "list")
    first, second = listed(run)

    assert result.exit_code == 0, result.output
    assert "Bug: a decision that fails" in result.stdout
    assert "+2 behind" in result.stdout
    assert result.stdout.splitlines()[-1] == "parked: shown=2 parked=4"
    assert (first["behind"], second["behind"]) == (2, 0)
    assert (first["kind"], first["type"], first["attempts"]) == ("decision", "order.upsert", 1)
    assert first["next_try_at"] is not None
    shortened = run("parked", "list", "--limit", "1").stdout.splitlines()[-1]
    assert shortened == "parked: shown=1 parked=4 (there are more: --limit)"


def test_parked_list_says_when_nothing_is_parked(run: Run, service: object) -> None:
    assert run("parked", "list").stdout == "parked: shown=0 parked=0\n"


def test_parked_list_filters_items(run: Run, work: Callable[..., None]) -> None:
    poison = a_poison("1", trackings=["1Z001"])
    work(poison, a_report("1Z001"), a_cancel("1"), a_poison("2"))
    everything = listed(run, "--parked-before", "2100-01-01")
    head, report, cancel, other = (item["place"] for item in everything)
    at = poison.coordinates

    for filters, places in (
        (("--order", "demo-shop/1"), [head, cancel]),
        (("--name", "number/1Z001"), [head, report]),
        (("--key", "demo-shop/1"), [head, report, cancel, other]),
        (("--topic", "carrier.tracking"), [report]),
        (("--partition", "1"), []),
        (("--kind", "behind"), [report, cancel]),
        (("--error", "DECISION THAT"), [head, other]),
        (("--parked-before", NOW.isoformat()), []),
        (
            ("--parked-before", (NOW + timedelta(seconds=1)).isoformat(), "--kind", "decision"),
            [head, other],
        ),
        (("--service", "claims"), []),
        ((other, cancel), [other, cancel]),
        ((f"{at}#0", head), [head]),
    ):
        assert [item["place"] for item in listed(run, *filters)] == places, filters


def test_parked_show_has_the_item_and_its_queue(run: Run, work: Callable[..., None]) -> None:
    poison, cancel = a_poison(ce_id="c-1"), a_cancel("1")
    work(poison, cancel)

    shown = run("parked", "show", str(poison.coordinates))
    as_json = json.loads(run("parked", "show", f"{cancel.coordinates}#0", "--json").stdout)
    value = run("parked", "show", str(poison.coordinates), "--value")

    assert shown.exit_code == 0, shown.output
    for text in (
        "decision: Bug: a decision that fails",
        "Traceback (most recent call last)",
        "ce_id: c-1",
        "/shops/demo-shop",
        '"email_id": "POISON@mail.example"',
        "behind it  1",
        f"({cancel.coordinates}#0)  order.cancel",
    ):
        assert text in shown.stdout, text
    (head,) = listed(run)
    assert (as_json["before_it"], as_json["behind_it"]) == ([head["place"]], [])
    assert any(name.startswith("order:") for name in as_json["names"])
    assert as_json["original"] == {"encoding": "utf-8", "value": cancel.value.decode()}
    assert value.stdout_bytes == poison.value


def test_parked_show_needs_the_service_when_two_parked_the_item(
    run: Run, database: Database
) -> None:
    park_by_hand(database, "claims", "orders.events", 7)
    park_by_hand(database, "analytics", "orders.events", 7)

    doubtful = run("parked", "show", "orders.events/0/7")
    by_place = run("parked", "retry", "1", *WHY)
    clear = run("parked", "show", "orders.events/0/7", "--service", "claims")

    assert (doubtful.exit_code, by_place.exit_code, clear.exit_code) == (2, 2, 0)
    assert "is parked in claims and in analytics: say --service" in doubtful.stderr
    assert "parked by claims" in clear.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("list", "--topic", "nonsense"), 2, "no topic nonsense"),
        (("list", "--order", "1001"), 2, "write SHOP/NUMBER"),
        (("list", "--order", "a/1", "--name", "b"), 2, "--order stands for a --name"),
        (("list", "--service", "nobody"), 2, "no service nobody"),
        (("list", "--parked-before", "yesterday"), 2, "is no instant"),
        (("list", "17", "--kind", "write"), 2, "not both"),
        (("show", "soon"), 2, "'soon' names no item"),
        (("show", "orders.commands/x/1"), 2, "names no item"),
        (("show", "17"), 1, "17 is not parked (any more)"),
        (("show", "orders.commands/0/17#3"), 1, "is not parked"),
    ],
)
def test_parked_commands_refuse_invalid_arguments(
    run: Run, service: object, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = run("parked", *arguments)

    assert result.exit_code == status, result.output
    assert said in result.stderr.replace("\n", " ")
