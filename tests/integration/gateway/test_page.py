"""The requests of docs/contract/http.md, sent as the page has them."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from schemas.example_files import load_examples
from schemas.topics import CARRIER_TRACKING, ORDERS_COMMANDS, PORTAL_ACTIVITY

from .conftest import DEADLINE_SECONDS, SECRET
from .test_activity import RUN

PAGE = (Path(__file__).parents[3] / "docs" / "contract" / "http.md").read_text("utf-8")
ADDRESSES = ("http://127.0.0.1:8081", "https://gateway.example")
REPORT = json.dumps(load_examples("tracking.reported")[0].value)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def request_of(number: int) -> str:
    """A shell block without the commands of operators, which make the key."""
    lines = blocks("sh")[number].splitlines(keepends=True)
    return "".join(each for each in lines if not re.match(r"\.venv/|KEY=", each))


async def run(gateway, program: str, folder: Path, **variables: str) -> str:
    """Run a program of the shell against the gateway; returns what it printed."""
    for tool in re.findall(r"\b(curl|openssl)\b", program):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on this machine")
    for address in ADDRESSES:
        program = program.replace(address, f"http://127.0.0.1:{gateway.port}")
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", program, cwd=folder, env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE_SECONDS):
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed
    return printed.decode()


@pytest.mark.parametrize(("number", "topic", "ids"), [
    (0, ORDERS_COMMANDS, ["place-2001"]),
    (1, ORDERS_COMMANDS, ["up-2001-1", "place-2002"]),
    (2, PORTAL_ACTIVITY, ["act-2"]),
], ids=["command", "batch", "activity"])  # fmt: skip
async def test_request_of_the_page_is_accepted(gateway, tmp_path, number, topic, ids):
    is_activity = topic == PORTAL_ACTIVITY
    key = await (gateway.page_key() if is_activity else gateway.shop_key())

    answer = await run(gateway, request_of(number), tmp_path, KEY=key)

    assert " 202 " in answer.splitlines()[0]
    records = await gateway.records(topic)
    assert sorted(dict(each.headers)["ce_id"].decode() for each in records) == sorted(ids)


async def test_webhook_of_a_carrier_on_the_page_is_accepted(gateway, tmp_path):
    answer = await run(gateway, request_of(3), tmp_path, KEY=await gateway.carrier_key("ups"))

    assert " 200 " in answer.splitlines()[0]  # UPS asks for it.
    assert len(await gateway.records(CARRIER_TRACKING)) == 1


async def test_signature_in_the_shell_of_the_page_is_accepted(gateway, tmp_path):
    (tmp_path / "body.json").write_text(REPORT)

    answer = await run(gateway, request_of(4), tmp_path, SECRET=SECRET)

    assert " 202 " in answer.splitlines()[0]
    assert len(await gateway.records(CARRIER_TRACKING)) == 1


async def test_signature_in_python_of_the_page_is_accepted(gateway):
    (program,) = blocks("py")
    names = {"secret": SECRET, "body": REPORT.encode()}
    exec(program, names)

    answer = await gateway.client.post(
        "/carriers/standard", content=names["body"], headers=names["headers"]
    )

    assert answer.status_code == 202, answer.text


async def test_page_starts_activity_as_the_contract_says(gateway, tmp_path):
    """Both scripts of the page, in Node, with the button that the second one waits for."""
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    library, start = blocks("js")
    (tmp_path / "activity.mjs").write_text(library)
    before, _, _ = RUN.partition("const settings")
    button = "const button = new EventTarget();\ndocument.querySelector = () => button;\n"
    start = start.replace("ofk_…", await gateway.page_key())
    start = start.replace("https://gateway.example", f"http://127.0.0.1:{gateway.port}")
    leave = RUN[RUN.index("document.visibilityState = ") :]
    click = 'button.dispatchEvent(new Event("click"));\n'
    (tmp_path / "run.mjs").write_text(before + button + start + click + leave)

    await run(gateway, "node run.mjs", tmp_path)

    found = [json.loads(each.value) for each in await gateway.records(PORTAL_ACTIVITY)]
    assert [each["kind"] for each in found] == ["impression", "click"]
