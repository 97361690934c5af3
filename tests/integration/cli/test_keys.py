"""`orderflow keys`: keys are shown once, listed without themselves, revoked, and audited."""

import json

import pytest

from services.gateway.access.keys import is_right
from services.runtime.config.settings import Settings

from .conftest import Database, Run

WHY = ("--by", "kim", "--why", "the shop system")


def test_key_is_shown_once_and_only_its_hash_is_stored(
    service: Settings, run: Run, database: Database
) -> None:
    added = run("keys", "add", "--shop", "demo-shop", "--rate", "5", "--days", "30", *WHY)
    text = added.stdout.splitlines()[0].removeprefix("key: ")
    (row,) = database("SELECT * FROM gateway.api_key")
    listed = run("keys", "list", "--json")
    shown = run("keys", "list")

    assert added.exit_code == 0, added.output
    assert added.stdout.splitlines()[-1] == (
        f"keys: added={row['id']} shop=demo-shop source=/shops/demo-shop"
    )
    assert is_right(text, row["hash"])
    assert text.split("_", 2)[2] not in str(dict(row)) + listed.output + shown.output
    (key,) = map(json.loads, listed.stdout.splitlines())
    assert (key["id"], key["per_second"], key["note"]) == (row["id"], 5.0, "the shop system")
    assert key["expires_at"] is not None
    assert "hash" not in key
    assert shown.stdout.splitlines()[-1] == "keys: shown=1"


def test_reason_and_source_of_a_key_are_shown_as_they_are(service: Settings, run: Run) -> None:
    note = ("--source", "/erp/[/x]", "--by", "kim", "--why", "the \x1b[2J[/] system")
    assert run("keys", "add", "--shop", "demo-shop", *note).exit_code == 0

    shown = run("keys", "list")

    assert shown.exit_code == 0, shown.output
    assert "/erp/[/x]" in shown.stdout
    assert "the \ufffd[2J[/] system" in shown.stdout


def test_key_of_a_carrier_is_for_a_form_that_is_known(
    service: Settings, run: Run, database: Database
) -> None:
    added = run("keys", "add", "--carrier", "standard", "--source", "/acme", "--json", *WHY)
    unknown = run("keys", "add", "--carrier", "afterhsip", *WHY)

    assert json.loads(added.stdout)["source"] == "/acme"
    assert json.loads(added.stdout)["kind"] == "carrier"
    assert unknown.exit_code == 2
    assert "no form afterhsip; there are " in unknown.stderr
    assert "aftership" in unknown.stderr
    assert len(database("SELECT FROM gateway.api_key")) == 1


def test_key_of_a_page_is_a_kind_of_its_own_and_listed_with_its_shop(
    service: Settings, run: Run, database: Database
) -> None:
    added = run("keys", "add", "--shop", "demo-shop", "--only-activity", *WHY)
    run("keys", "add", "--shop", "demo-shop", *WHY)
    refused = run("keys", "add", "--carrier", "standard", "--only-activity", *WHY)

    assert added.stdout.splitlines()[-1].endswith(
        " activity=demo-shop source=/shops/demo-shop/pages"
    )
    assert refused.exit_code == 2
    assert "name --shop" in refused.stderr
    kinds = {row["kind"] for row in database("SELECT kind FROM gateway.api_key")}
    assert kinds == {"activity", "shop"}
    assert run("keys", "list", "--shop", "demo-shop").stdout.splitlines()[-1] == "keys: shown=2"
    assert run("keys", "list", "--carrier", "standard").stdout.splitlines()[-1] == "keys: shown=0"


def test_key_is_of_a_shop_or_of_a_carrier_and_has_a_reason(service: Settings, run: Run) -> None:
    for arguments in ((), ("--shop", "a", "--carrier", "standard")):
        refused = run("keys", "add", *arguments, *WHY)
        assert (refused.exit_code, "one of them" in refused.stderr) == (2, True)
    assert run("keys", "add", "--shop", "a").exit_code == 2
    assert run("keys", "list", "--shop", "a", "--carrier", "standard").exit_code == 2


@pytest.mark.parametrize(
    "named",
    [
        ("--shop", "a/b"),
        ("--shop", "Demo Shop"),
        ("--shop", "s" * 65),
        ("--shop", "demo-shop", "--source", ""),
        ("--shop", "demo-shop", "--source", "a\nb"),
        ("--shop", "demo-shop", "--source", " /erp/7"),
        ("--carrier", "standard", "--source", "s" * 257),
    ],
)
def test_key_of_a_shop_or_source_that_no_message_can_have_is_refused(
    service: Settings, run: Run, database: Database, named: tuple[str, ...]
) -> None:
    refused = run("keys", "add", *named, *WHY)

    assert refused.exit_code == 2, refused.output
    assert refused.stderr.startswith("error: '")
    assert database("SELECT FROM gateway.api_key") == []


def test_revoked_key_is_listed_with_all_and_both_acts_are_audited(
    service: Settings, run: Run, database: Database
) -> None:
    id_ = json.loads(run("keys", "add", "--shop", "demo-shop", "--json", *WHY).stdout)["id"]
    text = run("keys", "revoke", f"ofk_{id_}_x", *WHY)

    revoked = run("keys", "revoke", id_, *WHY)
    again = run("keys", "revoke", id_, *WHY)
    acts = [json.loads(line) for line in run("acts", "--json").stdout.splitlines()]

    assert text.exit_code == 2
    assert "by its id" in text.stderr
    assert revoked.stdout.splitlines()[-1] == f"keys: revoked={id_}"
    assert again.exit_code == 1
    assert run("keys", "list").stdout.splitlines()[-1] == "keys: shown=0"
    assert run("keys", "list", "--all", "--shop", "demo-shop").stdout.splitlines()[-1] == (
        "keys: shown=1"
    )
    assert [(act["act"], act["actor"], act["service"]) for act in acts] == [
        ("keys.revoke", "kim", "gateway"),
        ("keys.add", "kim", "gateway"),
    ]
    assert acts[0]["detail"] == {"key": id_, "kind": "shop", "name": "demo-shop"}


def test_keys_are_written_by_the_login_that_migrates_alone(
    service: Settings, run: Run, monkeypatch
) -> None:
    url = service.database_url
    assert url is not None
    monkeypatch.setenv("GATEWAY_DATABASE_URL", url.get_secret_value())
    monkeypatch.delenv("DATABASE_URL")

    refused = run("keys", "add", "--shop", "demo-shop", *WHY)

    assert refused.exit_code == 1
    assert "the login that migrates" in refused.stderr
    assert run("keys", "list").exit_code == 0
