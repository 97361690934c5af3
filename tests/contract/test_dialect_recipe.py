"""What the recipe of a carrier dialect shows can be copied: parser, code map, answer, payload."""

from __future__ import annotations

import json
import re
import runpy
from datetime import UTC, datetime
from pathlib import Path

from orderflow.send.prepare import prepare
from services.orders.messages.carriers.code_maps import KEYS, read_rows
from services.runtime.clock import SystemClock

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "recipes" / "add-a-carrier-dialect.md").read_text("utf-8")
CORPUS = ROOT / "tests" / "corpus" / "carriers"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def lines_to_send() -> list[str]:
    return [
        line
        for block in blocks("sh")
        for lines in re.findall(r"<<'EOF'\n(.*?)^EOF", block, re.MULTILINE | re.DOTALL)
        for line in lines.splitlines()
    ]


def test_parser_of_the_recipe_reads_the_payload_of_the_recipe(tmp_path) -> None:
    (source,) = blocks("python")
    path = tmp_path / "parser.py"
    path.write_text(source, encoding="utf-8")
    payload = json.loads(lines_to_send()[-1])["value"]

    dialect = runpy.run_path(str(path))["DIALECT"]
    good, without_number = (dialect.report(part.value) for part in dialect.parts(payload))

    (scan,) = good.scans
    assert (good.tracking_number, good.carrier) == ("AC1001", "acme")
    assert (scan.code, scan.moment.at) == ("PU", datetime(2026, 3, 2, 17, 5, tzinfo=UTC))
    assert without_number.tracking_number is None
    assert not without_number.scans
    assert dialect.shape.search(json.dumps(payload).encode())


def test_code_map_and_key_of_the_recipe_are_complete(tmp_path) -> None:
    (source,) = blocks("csv")
    path = tmp_path / "codes.csv"
    path.write_text(source, encoding="utf-8")

    assert [row.said for row in read_rows(path)] == ["DLV", "NDL/HOME"]
    assert f"`{','.join(KEYS[0].__struct_fields__)}`" in PAGE


def test_answer_of_the_recipe_has_members_of_the_corpus() -> None:
    (source,) = blocks("json")
    shown = json.loads(source)
    known = [json.loads(path.read_text("utf-8")) for path in CORPUS.glob("*/*.answer.json")]
    parcels = [parcel for each in known for parcel in each["parcels"]]
    (parcel,) = shown["parcels"]

    assert shown.keys() <= {member for each in known for member in each}
    assert parcel.keys() <= {member for each in parcels for member in each}
    assert parcel["scans"][0].keys() <= {
        member for each in parcels for scan in each.get("scans", ()) for member in scan
    }


def test_order_of_the_recipe_can_be_sent() -> None:
    read = prepare([lines_to_send()[0].encode()], SystemClock().now())

    assert (read.flaws, read.doubts) == ([], [])
    assert [message.key for message in read.messages] == ["demo-shop/acme-1"]
