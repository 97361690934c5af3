"""`orderflow erase` as an operator runs it."""

from schemas.identity import order_id
from tests.integration.orders.conftest import an_upsert

ORDER = order_id("demo-shop", "1")
DOCUMENTS = "SELECT FROM orders.stored_order WHERE document IS NOT NULL"
NULLS = "SELECT FROM orders.outbox WHERE topics = '{orders.state}' AND values = '{NULL}'"


def test_erase_deletes_the_order_and_says_its_id(run, work, database):
    work(an_upsert("1", trackings=["T0001"]))

    tried = run("erase", "demo-shop", "1", "--dry-run")
    assert len(database(DOCUMENTS)) == 1
    done = run("erase", "demo-shop", "1", "--why", "ticket 4711", "--by", "ada")

    line = f"erase: order_id={ORDER} numbers=1 shared_numbers=0"
    assert tried.stdout.splitlines() == [f"{line} dry_run=yes"]
    assert done.stdout.splitlines() == [line], done.output
    assert (len(database(DOCUMENTS)), len(database(NULLS))) == (0, 1)
    ((act, actor),) = database("SELECT act, actor FROM orders.operator_act")
    assert (act, actor) == ("orders.erase", "ada")


def test_erase_again_says_that_there_is_no_such_order(run, work):
    work(an_upsert("1"))
    run("erase", "demo-shop", "1", "--why", "ticket 4711")

    again = run("erase", "demo-shop", "1", "--why", "ticket 4711")

    assert again.exit_code == 1
    assert "demo-shop/1: no such order, or it was erased before" in again.stderr


def test_erase_needs_a_reason(run, service):
    refused = run("erase", "demo-shop", "1")

    assert refused.exit_code == 2
    assert "--why" in refused.stderr


def test_outbox_shows_the_null_of_an_erased_order(run, work, database):
    work(an_upsert("1"))
    run("erase", "demo-shop", "1", "--why", "ticket 4711")

    shown = run("outbox", "show", "orders", "--json")

    assert shown.exit_code == 0, shown.output
    assert '"value":null' in shown.stdout
