"""`orderflow carriers` as an operator runs it: unknown codes, a remap, reading the topic again."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.orders.messages.carriers import foreign
from services.orders.messages.carriers.registry import DIALECTS
from services.runtime.config.settings import Settings
from services.runtime.messages.records import Coordinates, Original
from tests.integration.cli.test_order import _apply
from tests.integration.orders.conftest import NOW, an_upsert
from tests.integration.orders.test_remap import GROWN, a_scan_with_code

from .conftest import Database, Run

TRACKING = {
    "msg": {
        "tracking_number": "1Z1",
        "slug": "ups",
        "checkpoints": [
            {"checkpoint_time": "2026-03-01T10:00:00Z", "tag": "OutForDelivery", "message": "x"}
        ],
    }
}


@pytest.fixture
def order(database_url: str, service: Settings) -> str:
    """An order with a parcel of UPS and a scan with an unknown code."""
    asyncio.run(_apply(database_url, an_upsert("1", trackings=["1Z1"]), a_scan_with_code("1Z1")))
    return database_url


def test_unmapped_codes_are_listed_with_a_sample(run: Run, order: str) -> None:
    listed = run("carriers", "unmapped")
    as_json = json.loads(run("carriers", "unmapped", "--carrier", "UPS", "--json").stdout)

    assert listed.stdout.splitlines()[-1] == "unmapped: shown=1"
    assert "QQ9" in listed.stdout
    assert as_json == {
        "carrier": "ups",
        "name": None,
        "code": "QQ9",
        "scans": 1,
        "first_seen": as_json["first_seen"],
        "last_seen": as_json["first_seen"],
        "sample_number": "1Z1",
        "sample_text": "Zustellung morgen",
        "known": False,
    }


def test_unmapped_codes_are_shown_as_they_are(
    run: Run, database_url: str, service: Settings
) -> None:
    """Rich would take `[/]` for markup, and a terminal would obey the escape sequence."""
    scan = a_scan_with_code("1Z1", code="[/]\x1b[2J")
    asyncio.run(_apply(database_url, an_upsert("1", trackings=["1Z1"]), scan))

    listed = run("carriers", "unmapped")

    assert listed.exit_code == 0, listed.output
    assert "[/]" in listed.stdout
    assert "\x1b" not in listed.stdout


def test_remap_says_first_what_it_would_do_and_then_does_it_once(
    run: Run, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderflow.commands.carriers.CODE_MAPS", GROWN)
    tried = run("carriers", "remap", "--dry-run")
    done = run("carriers", "remap", "--why", "a code of UPS", "--by", "ada")
    again = run("carriers", "remap", "--why", "a code of UPS", "--by", "ada")

    assert tried.stdout.split()[1:] == ["numbers=1", "changed=1", "after=1Z1", "dry_run=yes"]
    assert "changed=1 events=1 after=1Z1 complete=yes codes_known=1" in done.stdout, done.output
    assert "changed=0 events=0 after=1Z1 complete=yes codes_known=0" in again.stdout


def a_payload() -> Original:
    """The payload as the service had it from Kafka."""
    headers = (("ce_type", b"aftership.tracking"),)
    value = json.dumps(TRACKING).encode()
    return Original(Coordinates("carrier.tracking", 0, 0), b"ups/1Z1", headers, value, NOW)


def reads_nothing(_: Any) -> Any:
    """A parser that takes each payload for one of another kind."""
    return ()


def test_reread_adds_what_a_mended_parser_reads_and_nothing_twice(
    run: Run,
    topics: None,
    order: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with monkeypatch.context() as before:
        broken = replace(DIALECTS["aftership"], parts=reads_nothing)
        before.setattr(foreign, "DIALECTS", {**DIALECTS, "aftership": broken})
        asyncio.run(_apply(order, a_payload()))
    assert database("SELECT reason FROM orders.rejected")[0]["reason"] == "invalid_fields"
    sent = tmp_path / "sent.jsonl"
    line = {"topic": "carrier.tracking", "key": "ups/1Z1", "type": "aftership.tracking"}
    without_digits = {"msg": TRACKING["msg"] | {"tracking_number": "unknown"}}
    values = (TRACKING, {"msg": {}}, without_digits)
    sent.write_text("\n".join(json.dumps(line | {"value": value}) for value in values))
    assert run("send", str(sent), "--unchecked").exit_code == 0

    tried = run("carriers", "reread", "--since", "1h", "--dry-run")
    done = run("carriers", "reread", "--since", "1h", "--dialect", "aftership", "--why", "mended")
    shown = json.loads(run("order", "demo-shop/1", "--json").stdout)
    again = run("carriers", "reread", "--since", "1h", "--why", "once more")

    assert tried.stdout == "reread: records=3 read=2 dry_run=yes\n", tried.output
    assert done.stdout == "reread: records=3 read=2 complete=yes\n", done.output
    assert "in_delivery" in json.dumps(shown)
    assert again.stdout == "reread: records=3 read=2 complete=yes\n"
    assert json.loads(run("order", "demo-shop/1", "--json").stdout) == shown
    acts = database("SELECT act FROM orders.operator_act ORDER BY id")
    assert [row["act"] for row in acts] == ["carriers.reread"] * 2


def test_reread_refuses_a_time_that_ends_before_it_begins(run: Run, service: Settings) -> None:
    refused = run("carriers", "reread", "--since", "1h", "--until", "2h", "--dry-run")

    assert (refused.exit_code, "name a later --until" in refused.stderr) == (2, True)


def test_reread_refuses_a_dialect_that_is_not_there(run: Run, service: Settings) -> None:
    refused = run("carriers", "reread", "--since", "1h", "--dialect", "morse", "--why", "x")

    assert refused.exit_code == 2
    assert "aftership" in refused.output
