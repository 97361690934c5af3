"""Promises of the contract's pages, each quoted word for word beside the test that proves it.

promises.toml holds them. A sentence that is changed on its page must be changed there, with a look
at its test.
"""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path

import orjson
import pytest

from schemas.envelope import rfc3339
from schemas.topics import CATALOGUE
from services.orders.messages import decode, snapshot
from services.orders.messages.encode import event_record
from services.runtime.messages.headers import read_headers
from services.runtime.messages.records import Coordinates, Original
from tests.unit.orders.builders import NOON, Desk, attach, place, report, scan

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "contract"

PROMISES = tomllib.loads(Path(__file__).with_name("promises.toml").read_text("utf-8"))["promise"]
QUOTED = [(each["page"], each["sentence"], each["test"]) for each in PROMISES]


def words_of(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


@cache
def page_of(name: str) -> str:
    """A page of the contract, without line breaks."""
    return words_of((PAGES / name).read_text("utf-8"))


@cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the functions in a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


@pytest.mark.parametrize(("page", "sentence", "test"), QUOTED)
def test_promise_is_on_its_page_and_has_its_test(page: str, sentence: str, test: str) -> None:
    path, _, name = test.partition("::")

    assert words_of(sentence) in page_of(page), f"{page} no longer says: {sentence}"
    assert name in functions_of(path), f"{path} has no test {name} to prove: {sentence}"


def test_promise_quotes_are_long_enough_to_mean_one_sentence() -> None:
    found = {sentence: page_of(page).count(words_of(sentence)) for page, sentence, _ in QUOTED}

    assert [sentence for sentence, count in found.items() if count > 1] == []


def test_tracking_without_a_type_is_a_report() -> None:
    scans = [{"event_name": "SORTED", "occurred_at": "2026-03-01T10:00:00Z"}]
    body = orjson.dumps({"tracking_number": "1Z999", "scans": scans})
    record = Original(Coordinates(decode.TRACKING, 0, 0), b"ups/1Z999", (), body, NOON)

    (entry,) = decode.read(record, NOON)

    assert isinstance(entry, decode.DecodedItem)
    assert entry.command.tracking_number == "1Z999"


def test_topics_take_messages_of_one_mebibyte() -> None:
    assert {topic.max_message_bytes for topic in CATALOGUE} == {1024 * 1024}


def test_time_header_of_a_scan_event_is_when_the_scan_happened() -> None:
    desk = Desk()
    desk.send(place())
    desk.send(attach("NUM1", carrier="dhl"))
    (event,) = desk.send(report(scan("SORTED", NOON), number="NUM1")).events

    record = event_record(event, snapshot.encode(desk.order(), 100_000), None)

    assert dict(read_headers(record.headers))["ce_time"] == rfc3339(NOON).encode()
