"""`orderflow parked edit-and-retry`: another value, and the sender's bytes in the audit."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from services.runtime.messages.headers import pack_headers
from tests.integration.orders.conftest import a_cancel

from .conftest import Database, Run
from .parking import WHY, a_poison, acted, last_line, refusals

pytestmark = pytest.mark.usefixtures("bug")


def test_edit_keeps_the_original_bytes_in_the_audit(
    run: Run, work: Callable[..., None], tmp_path: Path
) -> None:
    poison = a_poison()
    work(poison, a_cancel("1"))
    file = tmp_path / "value.json"
    file.write_bytes(poison.value.replace(b"POISON", b"anna"))
    at = str(poison.coordinates)

    tried = run("parked", "edit-and-retry", at, "--value", str(file), "--dry-run")
    result = run("parked", "edit-and-retry", at, "--value", str(file), *WHY)

    assert last_line(tried).startswith("parked: would_edit_and_retry=2 applied=2")
    assert result.exit_code == 0, result.output
    assert last_line(result).startswith("parked: edit_and_retry=2 applied=2")
    edit, along = acted(run)
    assert (edit["act"], along["act"]) == ("parked.edit-and-retry", "parked.retry")
    assert edit["detail"]["value_before"] == {"encoding": "utf-8", "value": poison.value.decode()}
    assert "value_before" not in along["detail"]


@pytest.mark.parametrize("original", [b'{"id": "\xff"}', b'{"id": "\x00"}'])
def test_edit_keeps_bytes_that_jsonb_cannot_hold_as_base64(
    run: Run, work: Callable[..., None], database: Database, original: bytes
) -> None:
    poison = a_poison()
    work(poison)
    database("UPDATE orders.parked SET value = $1", original)

    value = poison.value.replace(b"POISON", b"anna").decode()
    result = run("parked", "edit-and-retry", "1", "--value", "-", *WHY, input=value)

    assert result.exit_code == 0, result.output
    (edit,) = acted(run)
    assert edit["detail"]["value_before"] == {
        "encoding": "base64",
        "value": base64.b64encode(original).decode(),
    }


def test_edit_of_an_item_behind_another_is_recorded(run: Run, work: Callable[..., None]) -> None:
    cancel = a_cancel("1")
    work(a_poison(), cancel)
    value = cancel.value.replace(b"}", b', "reason": "late"}').decode()

    options = ("--value", "-", *WHY)
    result = run("parked", "edit-and-retry", str(cancel.coordinates), *options, input=value)

    assert result.exit_code == 1
    (edit,) = acted(run)
    assert (edit["act"], edit["detail"]["became"]) == ("parked.edit-and-retry", "behind")
    assert edit["detail"]["value_before"]["value"] == cancel.value.decode()


def test_edit_refuses_an_invalid_value_unless_forced(
    run: Run, work: Callable[..., None], database: Database
) -> None:
    work(a_poison())
    edit = ("parked", "edit-and-retry", "1", "--value", "-", *WHY)

    nonsense = run(*edit, input="nonsense")
    huge = run(*edit, input='"' + "x" * 1_048_576 + '"')
    assert (nonsense.exit_code, huge.exit_code) == (1, 1)
    assert "orders could not read it; --unchecked goes on all the same" in nonsense.stderr
    assert "orders.commands takes 1,048,576" in huge.stderr
    assert acted(run) == []
    forced = run(*edit, "--unchecked", input="nonsense")

    assert forced.exit_code == 0, forced.output
    assert "rejected: not_json" in forced.stdout
    assert refusals(database)[0][0] == "not_json"


def test_edit_refuses_a_value_without_the_item(
    run: Run, work: Callable[..., None], database: Database
) -> None:
    work(a_poison())
    headers = pack_headers((("ce_type", b"orders.fulfill_bulk"),))
    database("UPDATE orders.parked SET index = 3, headers = $1", headers)

    value = '{"shop_slug": "demo-shop", "items": [{"id": "1"}]}'
    result = run("parked", "edit-and-retry", "1", "--value", "-", *WHY, input=value)

    assert result.exit_code == 1
    assert "holds no item 3 any more" in result.stderr


def test_edit_without_a_value_opens_the_editor(
    run: Run, work: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = a_poison()
    work(poison)

    monkeypatch.setenv("EDITOR", "true")
    unchanged = run("parked", "edit-and-retry", "1", *WHY)
    monkeypatch.setenv("EDITOR", "sed -i s/POISON/anna/")
    changed = run("parked", "edit-and-retry", "1", *WHY)

    assert (unchanged.exit_code, changed.exit_code) == (1, 0), changed.output
    assert "the value was not changed" in unchanged.stderr
    assert [act["detail"]["became"] for act in acted(run)] == ["applied"]
