"""The contract's pages say what the catalogue and the services say, and link to what exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from orderflow.send.prepare import prepare
from schemas.enums import CARRIERS
from schemas.envelope import OUTGOING_HEADERS
from schemas.topics import CATALOGUE, FEED
from services.claims.domain.reasons import NoChangeReason, RejectionReason
from services.deliveries.domain.reasons import NoChangeReason as NoChangeOfDestinations
from services.deliveries.domain.reasons import RejectionReason as RefusedDestinations
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.warnings import WARNING_SENTENCES, WarningCode
from services.orders.domain.tracking.catalogue import CATALOGUE as EVENTS
from services.runtime.clock import SystemClock
from services.runtime.parking import operations

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))


def page(name: str) -> str:
    return (ROOT / "docs" / "contract" / name).read_text("utf-8")


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


@pytest.mark.parametrize("topic", [*CATALOGUE, FEED], ids=lambda topic: topic.name)
def test_topic_table_equals_the_catalogue(topic) -> None:
    cells = (
        f"`{topic.name}`",
        topic.meaning,
        topic.key,
        ", ".join(topic.writers),
        ", ".join(topic.readers),
        topic.kept,
        str(topic.partitions),
        "yes" if topic.personal_data else "no",
    )

    assert f"| {' | '.join(cells)} |" in page("README.md")


def test_page_names_every_header_and_carrier() -> None:
    text = page("README.md")

    assert [name for name in OUTGOING_HEADERS if f"| `{name}` |" not in text] == []
    assert [key for key in CARRIERS if f"`{key}`" not in text] == []


def test_page_explains_every_message_type() -> None:
    for topic in CATALOGUE:
        text = page("publishers.md") if topic.incoming else page("events.md")
        if topic.name.endswith(".events") or topic.incoming:
            assert [type_ for type_ in topic.models if f"`{type_}`" not in text] == []


def test_event_table_equals_the_catalogue_of_the_orders_service() -> None:
    rows = [
        f"| `{entry.name}` | {entry.phase or 'keeps it'} | {entry.group or 'none'} |"
        for entry in EVENTS.values()
    ]

    assert "\n".join(rows) in page("events.md")


UNCHANGED = {Reason.DUPLICATE, Reason.STALE, Reason.NO_DIFFERENCE, Reason.ALREADY_VOIDED}
OF_CAMPAIGNS = {
    Reason.AB_TEST_RUNNING,
    Reason.ALLOCATIONS_DO_NOT_SUM,
    Reason.CAMPAIGN_NOT_FOUND,
    Reason.CAMPAIGN_OVERLAPS,
    Reason.DISCOUNT_CODE_FIXED,
    Reason.DISCOUNT_ON_NOTHING,
    Reason.ENDS_BEFORE_START,
    Reason.TOO_MANY_CAMPAIGNS,
}


def test_reason_tables_hold_every_code_that_services_give_there() -> None:
    sections = re.split(r"^## ", page("reasons.md"), flags=re.MULTILINE)[1:]
    listed = {each.split("\n", 1)[0]: first_cells(each) for each in sections}

    assert {heading: set(codes) for heading, codes in listed.items()} == {
        "Nothing changed": UNCHANGED | set(NoChangeReason) | set(NoChangeOfDestinations),
        "Malformed": malformed_codes(),
        "Refused: orders and tracking": set(Reason) - UNCHANGED - OF_CAMPAIGNS,
        "Refused: campaigns, discounts and tests": OF_CAMPAIGNS,
        "Refused: by an operator": {operations.SKIPPED, operations.DISCARDED},
        "Refused: claims": set(RejectionReason),
        "Refused: destinations": set(RefusedDestinations),
        "Warnings": set(WarningCode),
    }
    assert all(len(codes) == len(set(codes)) for codes in listed.values())


def test_warning_table_says_what_the_services_say() -> None:
    rows = [f"| `{code}` | {sentence} |" for code, sentence in WARNING_SENTENCES.items()]

    assert "\n".join(rows) in page("reasons.md")


def malformed_codes() -> set[str]:
    """The codes given where a message is found malformed: `Malformed("code", …)`, `_Flaw(…)`."""
    found = set()
    for path in (ROOT / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"Malformed": 0, "_Flaw": 1}.get(node.func.id)
                if place is not None and isinstance(node.args[place], ast.Constant):
                    found.add(node.args[place].value)
    return found


def test_page_has_commands_that_can_be_sent() -> None:
    blocks = re.findall(r"<<'LINES'\n(.*?)LINES\n", page("publishers.md"), re.DOTALL)

    reads = [prepare(block.encode().splitlines(), SystemClock().now()) for block in blocks]

    assert [(read.flaws, read.doubts) for read in reads] == [([], [])] * 2
    first, numbers = ([message.key for message in read.messages] for read in reads)
    assert first == ["demo-shop/1001"]
    assert numbers == ["demo-shop/1002", "demo-shop/1003", "demo-shop/1003", "demo-shop/1002"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_all_resolve(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8")):
        if target.startswith("http"):
            continue
        name, _, heading = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
            assert heading in {
                re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings
            }
