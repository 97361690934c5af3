"""Event names in examples and on pages are names of the catalogue."""

import json
import re
from pathlib import Path

import pytest

from schemas.topics import CAMPAIGNS_EVENTS, ORDERS_EVENTS, TOPICS
from services.orders.domain.model.decision import EventType
from services.orders.domain.tracking.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "schemas" / "examples").rglob("*.json")),
    ROOT / "README.md",
]
UNKNOWN = {("unknown_words.json", "TELEPORTED"), ("word_of_tomorrow.json", "HANDED_TO_DRONE")}
"""Names that are there to show what becomes of an unknown one."""
OF_ORDERS = {
    type_.replace(".", "_").upper() for type_ in (*EventType, *TOPICS[ORDERS_EVENTS].models)
}
OF_CLAIMS = {"created", "updated", "withdrawn"}
"""Claim events name what was done."""
OF_CAMPAIGNS = {type_.partition(".")[2] for type_ in TOPICS[CAMPAIGNS_EVENTS].models}
OF_DESTINATIONS = {"disabled", "enabled", "removed", "replayed"}
NAMED = re.compile(r'"event_name"\s*:\s*"([^"]+)"')


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_event_names_on_a_page_are_known(page):
    names = set(NAMED.findall(page.read_text(encoding="utf-8")))

    unknown = names - CATALOGUE.keys() - OF_ORDERS - OF_CLAIMS - OF_CAMPAIGNS - OF_DESTINATIONS

    assert {(page.name, name) for name in unknown} <= UNKNOWN


def test_event_names_in_the_examples_of_tracking_are_of_the_catalogue():
    text = (ROOT / "schemas/generated/json/tracking.reported.v1.schema.json").read_text()
    examples = json.loads(text)["$defs"]["Scan"]["properties"]["event_name"]["examples"]

    assert examples
    assert set(examples) | set(NAMED.findall(text)) <= CATALOGUE.keys()
