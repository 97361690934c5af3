"""Lists of allowed sources: a sender not listed is rejected; a restart reads the new list."""

import json
from pathlib import Path

import pytest

from .conftest import Run, Serve

pytestmark = [pytest.mark.stack, pytest.mark.slow]
ADDRESS = {"zip_code": "10115"}


def _place(number: str, source: str | None) -> str:
    line = {"type": "order.place", "id": f"place-{number}", "source": source}
    order = {"order_number": number, "address": ADDRESS}
    return json.dumps(line | {"value": {"shop_slug": "demo-shop", "order": order}})


def _claim(number: str, source: str) -> str:
    value = {"shop_slug": "demo-shop", "id": number, "reason": "support", "description": "Late."}
    line = {"type": "claim.open", "id": f"claim-{number}", "source": source, "value": value}
    return json.dumps(line)


def test_source_not_listed_is_rejected_until_a_restart_reads_a_list_with_it(
    run: Run, inside: dict[str, str], serve: Serve, tmp_path: Path
) -> None:
    lists = tmp_path / "sources.json"
    lists.write_text('{"demo-shop": ["/shops/demo-shop"]}')
    settings = {**inside, "ORDERFLOW_ALLOWED_SOURCES_FILE": str(lists)}
    assert run(settings, "topics", "create").exit_code == 0
    services = [serve(name, settings) for name in ("orders", "claims")]
    for service in services:
        service.wait_ready()

    known = run(settings, "send", "-", "--wait", input=_place("1", "/shops/demo-shop"))
    strange = run(settings, "send", "-", "--wait", "--json", input=_place("2", "/erp"))
    run(settings, "send", "-", input=_claim("1", "/erp"))

    assert known.exit_code == 0, known.output
    outcome = json.loads(strange.stdout.splitlines()[-1])["outcome"]
    assert (outcome["outcome"], outcome["reason"]) == ("rejected", "source_not_allowed")
    assert "/erp may not send for shop demo-shop" in outcome["detail"]
    assert run(settings, "order", "demo-shop/2").exit_code == 1, "no trace of it in the orders"
    refused = run(
        *(settings, "tail", "claims.rejected", "--from", "beginning", "--max", "1", "--json")
    )
    assert json.loads(refused.stdout)["value"]["reason"] == "source_not_allowed"

    services[0].stop()
    lists.write_text('{"demo-shop": ["/shops/demo-shop", "/e*"]}')
    services[0].start()
    services[0].wait_ready()
    again = run(settings, "send", "-", "--wait", input=_place("2", "/erp"))

    assert again.exit_code == 0, again.output
    assert run(settings, "order", "demo-shop/2").exit_code == 0
