"""Every block of code on the pages of the contract is run or compiled by a test.

COVERED names the test of each block. A new block fails here until it has one.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from orderflow.send.prepare import prepare
from schemas.example_files import load_examples
from schemas.topics import ORDERS_COMMANDS
from services.runtime.clock import SystemClock
from tests.contract.test_subscriber_page import make_topic

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "contract").glob("*.md")),
    *sorted((ROOT / "deploy" / "contract").glob("*/README.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPERATIONS = "tests/operations/contract"
DELIVERIES, GATEWAY = "tests/integration/deliveries", "tests/integration/gateway"
SELF = "tests/contract/test_snippets.py"
CAMPAIGNS = "tests/contract/test_campaigns_page.py"
SUBSCRIBER = "tests/contract/test_subscriber_page.py"

COVERED: Mapping[tuple[str, str], list[str]] = {
    ("deploy/contract/java/README.md", "java"): [
        f"{OPERATIONS}/test_java.py::test_java_program_of_its_page_compiles_and_takes_what_is_newer"
    ],
    ("deploy/contract/npm/README.md", "ts"): [
        f"{OPERATIONS}/test_npm.py::test_npm_programs_of_its_page_have_right_types"
    ]
    * 2,
    ("deploy/contract/python/README.md", "python"): [
        f"{OPERATIONS}/test_wheel.py::test_wheel_consumer_of_its_page_reads_the_topics",
        f"{OPERATIONS}/test_wheel.py::test_wheel_producer_of_its_page_places_an_order",
    ],
    ("docs/contract/campaigns.md", "python"): [
        f"{CAMPAIGNS}::test_sums_of_the_page_are_the_credits_after_every_correction"
    ],
    ("docs/contract/feeds.md", "python"): [
        f"{DELIVERIES}/test_feed_commands.py::test_reader_of_the_page_prints_an_event"
    ],
    ("docs/contract/http.md", "js"): [
        f"{GATEWAY}/test_activity.py::test_page_of_the_contract_sends_what_its_visitor_does",
        f"{GATEWAY}/test_page.py::test_page_starts_activity_as_the_contract_says",
    ],
    ("docs/contract/http.md", "py"): [
        f"{GATEWAY}/test_page.py::test_signature_in_python_of_the_page_is_accepted"
    ],
    ("docs/contract/publishers.md", "py"): [
        f"{SELF}::test_producer_of_the_page_sends_a_command_with_its_headers"
    ],
    ("docs/contract/subscribers.md", "python"): [
        f"{SUBSCRIBER}::test_consumer_acts_once_on_every_event_and_keeps_the_newest_order",
        f"{SUBSCRIBER}::test_subscriber_starts_from_states_and_takes_no_erased_order_back",
    ],
    ("docs/contract/subscribers.md", "js"): [
        f"{OPERATIONS}/test_npm.py::test_npm_subscriber_of_the_page_acts_once_on_each_event"
    ],
    ("docs/contract/subscribers.md", "java"): [
        f"{OPERATIONS}/test_java.py::test_java_subscriber_of_the_page_acts_once_on_each_event"
    ],
    ("docs/contract/webhooks.md", "python"): [
        f"{DELIVERIES}/test_page.py::test_receiver_of_the_page_accepts_what_the_service_sends"
    ],
    ("docs/contract/webhooks.md", "js"): [
        f"{DELIVERIES}/test_page.py::test_receiver_of_the_page_accepts_what_the_service_sends"
    ]
    * 2,
    ("docs/contract/webhooks.md", "php"): [
        f"{DELIVERIES}/test_page.py::test_receiver_of_the_page_accepts_what_the_service_sends"
    ],
}
"""By page and language: the test of each block, in their order on the page."""
PARSED = {"sh"}
"""Languages of blocks that the tests of this module read, on every page."""
SHOWN = {""}
"""Output of programs, which is no code."""


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks_of(path: Path) -> list[tuple[str, str]]:
    """Language and text of each block."""
    return FENCE.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_blocks_of_a_page_all_have_a_test(path: Path) -> None:
    counts: dict[tuple[str, str], int] = {}
    for language, _ in blocks_of(path):
        if language not in PARSED | SHOWN:
            at = page_name(path), language
            counts[at] = counts.get(at, 0) + 1

    named = {at: len(tests) for at, tests in COVERED.items() if at[0] == page_name(path)}
    assert counts == named


def test_tests_of_blocks_exist() -> None:
    wanted = {test for tests in COVERED.values() for test in tests}

    assert wanted == {test for test in wanted if is_test(*test.split("::"))}


def is_test(file: str, name: str) -> bool:
    if not (ROOT / file).is_file():
        return False
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = (
        each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return name in found


SHELL = [
    pytest.param(text, id=f"{page_name(path)}-{number}")
    for path in PAGES
    for number, (language, text) in enumerate(blocks_of(path))
    if language == "sh"
]


@pytest.mark.parametrize("text", SHELL)
def test_shell_blocks_are_right_for_the_shell(text: str) -> None:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)

    assert done.stderr == ""


def sent_by(text: str) -> list[bytes]:
    """The lines that a block gives to `orderflow send`."""
    documents = re.findall(r"<<'(\w+)'\n(.*?)^\1$", text, re.MULTILINE | re.DOTALL)
    echoed = re.findall(r"^echo '([^']*)'(?: \\\n +)? *\| \S*orderflow send", text, re.MULTILINE)
    lines = [line for _, document in documents for line in document.splitlines()]
    return [line.encode() for line in (*lines, *echoed)]


def test_messages_of_shell_blocks_are_found() -> None:
    document, echoes = "a send - <<'E'\n{1}\n{2}\nE\n", "echo '{3}' \\\n  | b/orderflow send -\n"
    text = document + echoes + "echo '{4}' | orderflow send -\n"

    assert sent_by(text) == [b"{1}", b"{2}", b"{3}", b"{4}"]


@pytest.mark.parametrize("text", SHELL)
def test_shell_blocks_send_messages_that_the_services_take(text: str) -> None:
    read = prepare(sent_by(text), SystemClock().now())

    assert (read.flaws, read.doubts) == ([], [])
    assert len(read.messages) == len(re.findall(r"""(?:^|')\{"type":""", text, re.MULTILINE))


async def test_producer_of_the_page_sends_a_command_with_its_headers(
    kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    text = dict(blocks_of(ROOT / "docs" / "contract" / "publishers.md"))["py"]
    topic = topic_prefix + ORDERS_COMMANDS
    await make_topic(kafka_bootstrap_servers, topic)
    program = "async def send(producer, body, json):\n" + textwrap.indent(text, "    ")
    names: dict[str, Any] = {}
    exec(program.replace(f'"{ORDERS_COMMANDS}"', repr(topic)), names)
    example = load_examples("order.upsert")[0]

    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap_servers) as producer:
        await names["send"](producer, example.value, json)
    async with (
        AIOKafkaConsumer(
            topic, bootstrap_servers=kafka_bootstrap_servers, auto_offset_reset="earliest"
        ) as consumer,
        asyncio.timeout(30),
    ):
        record = await consumer.getone()

    assert json.loads(record.value) == example.value
    assert dict(record.headers)["ce_type"] == b"order.upsert"
