"""The corpus of payloads: each is read as the right answer beside it says.

`tests/corpus/carriers/<dialect>/*.json`: `payload` (or `payload_file`, for XML), written by us from
`source`, and for each of its parcels the `answer`. What an answer does not name is not compared.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.orders.domain.tracking.replay import replay
from services.orders.messages import decode
from services.orders.messages.carriers import registry
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.messages.entries import DecodedItem
from services.runtime.rejections import Rejection
from tests.unit.orders.mutations import NOW, original_of

FOLDER = Path(__file__).parents[2] / "corpus" / "carriers"
CASES = sorted(FOLDER.glob("*/*.json"))
AS_OF = datetime(2027, 1, 1, tzinfo=UTC)


def payload_of(path, case):
    named = case.get("payload_file")
    if named is not None:
        return (path.parent / named).read_bytes()
    return json.dumps(case["payload"], ensure_ascii=False).encode()


def read(path, case):
    type_ = DIALECTS[path.parent.name].types[0]
    return decode.read(original_of((decode.TRACKING, type_, payload_of(path, case))), NOW)


def plain(end):
    return None if end is None else end.isoformat()


def found_of(entry):
    """What was read of one parcel, in the words of an answer."""
    if isinstance(entry, Rejection):
        return {"rejected": entry.reason, "pointer": entry.errors[0].pointer}
    assert isinstance(entry, DecodedItem), entry.failure.traceback
    command = entry.command
    scans = {scan.key: scan for scan in command.scans}
    replayed = replay(scans.values(), AS_OF)
    state, steps = replayed.state, [step.scan for step in replayed.steps]
    placed = next((scan.location for scan in reversed(steps) if scan.location), None)
    proofs = [scan.proof for scan in steps if scan.proof]
    return {
        "number": command.tracking_number,
        "carrier": command.carrier_reference,
        "phase": state.phase.value,
        "flag": state.flag.value,
        "attempts": state.attempts,
        "events": [scan.event_name for scan in steps],
        "codes": [scan.code for scan in steps],
        "scan_ids": [scan.scan_id for scan in steps],
        "reasons": [scan.reason for scan in steps],
        "tz_known": [scan.tz_known for scan in steps],
        "scans": len(steps),
        "delivered_at": plain(state.delivered_at),
        "eta": state.eta and [plain(state.eta.earliest), plain(state.eta.latest)],
        "place": placed and said(placed),
        "pickup": state.pickup and state.pickup.name,
        "signed_by": next((each.signed_by for each in proofs if each.signed_by), None),
        "image_url": next((each.image_url for each in proofs if each.image_url), None),
        "left_out": [each.pointer for each in command.warnings],
    }


def said(place):
    members = {name: getattr(place, name) for name in place.__struct_fields__}
    return {name: value for name, value in members.items() if value is not None}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_payload_is_read_as_the_right_answer_says(path):
    case = json.loads(path.read_text("utf-8"))
    entries = read(path, case)

    assert len(entries) == len(case["answer"])
    for index, (entry, answer) in enumerate(zip(entries, case["answer"], strict=True)):
        found = found_of(entry)
        assert {name: found[name] for name in answer} == answer
        assert (entry.item.index if isinstance(entry, DecodedItem) else entry.index) == index


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_payload_weighs_not_less_than_its_scans(path):
    case = json.loads(path.read_text("utf-8"))
    entries = [entry for entry in read(path, case) if isinstance(entry, DecodedItem)]
    type_ = DIALECTS[path.parent.name].types[0]
    record = original_of((decode.TRACKING, type_, payload_of(path, case)))
    said = [
        scan for each in entries for scan in each.command.scans if scan.event_name != "ETA_CHANGED"
    ]

    assert decode.weigh(record) >= len(said)


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_has_cases_with_sources(name):
    cases = [json.loads(path.read_text("utf-8")) for path in CASES if path.parent.name == name]

    assert len(cases) >= 10
    assert all(case["source"].startswith("https://") and case["why"] for case in cases)


def test_payload_is_of_no_other_dialect_by_its_shape():
    for path in CASES:
        case = json.loads(path.read_text("utf-8"))
        assert registry.shape_of(payload_of(path, case)) in (path.parent.name, None), path
