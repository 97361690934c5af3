"""The corpus of payloads: each is read as the right answer beside it says.

`<case>.json` or `.xml` in `tests/corpus/carriers/<dialect>` is a payload, written by us from the
page in `source`; `<case>.answer.json` is the answer. What it does not name is not compared.
"""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.orders.domain.model.parcel import Parcel
from services.orders.domain.rules.report_scans import merge_scans
from services.orders.domain.tracking.catalogue import SCAN_RETRACTED, UNMAPPED
from services.orders.domain.tracking.ordering import Cause
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.state import Rule
from services.orders.messages import decode
from services.orders.messages.carriers import registry
from services.orders.messages.carriers.bodies import decode_body, is_xml
from services.orders.messages.carriers.registry import DIALECTS, OWN_TYPE
from services.orders.messages.carriers.reports import ETA_CHANGED
from services.orders.messages.entries import DecodedItem
from services.runtime.messages.json_codec import Malformed
from services.runtime.rejections import Rejection
from tests.unit.orders.mutations import original_of

FOLDER = Path(__file__).parents[2] / "corpus" / "carriers"
ANSWERS = sorted(
    path
    for path in FOLDER.glob("*/*.answer.json")
    if path.parent.name in DIALECTS or path.parent.name == "standard"
)
AS_OF = datetime(2026, 11, 25, 12, tzinfo=UTC)
TYPES = {name: dialect.types[0] for name, dialect in DIALECTS.items()} | {"standard": OWN_TYPE}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


def name_of(path):
    return f"{path.parent.name}/{path.name.split('.')[0]}"


def answer_of(path):
    return json.loads(path.read_text("utf-8"))


def payload_of(path):
    stem = path.name.split(".")[0]
    (found,) = (path.with_name(stem + end) for end in (".json", ".xml") if is_file(path, stem, end))
    return found.read_bytes()


def is_file(path, stem, end):
    return path.with_name(stem + end).exists()


def record_of(path):
    return original_of((decode.TRACKING, TYPES[path.parent.name], payload_of(path)))


def read(path):
    received = answer_of(path).get("received_at")
    now = datetime.fromisoformat(received) if received else AS_OF
    return decode.read(record_of(path), now)


def found_of(entry):
    """What was read of one parcel, in the words of an answer."""
    if isinstance(entry, Rejection):
        return {"rejected": entry.reason, "pointer": entry.errors[0].pointer}
    assert isinstance(entry, DecodedItem), entry.failure.traceback
    command = entry.command
    merged = merge_scans(Parcel(number=command.tracking_number), tuple(command.scans))
    replayed = replay(merged.parcel.scans, AS_OF)
    state, steps = replayed.state, [step.scan for step in replayed.steps]
    moves = [scan for scan in steps if scan.event_name != ETA_CHANGED]
    last = last_of(replayed.steps)
    return {
        "tracking_number": command.tracking_number,
        "carrier": command.carrier_reference,
        "phase": state.phase.value,
        "flag": state.flag.value,
        "attempts": state.attempts,
        "event_name": last and last.event_name,
        "sub_status": state.sub_status,
        "reason": state.why and state.why.reason_code,
        "action_required": state.why is not None and state.why.action_required,
        "direction": last and last.direction and last.direction.value,
        "events": [scan.event_name for scan in steps],
        "codes": [scan.code for scan in steps],
        "scan_ids": [scan.scan_id for scan in steps],
        "said_reasons": [scan.reason for scan in steps],
        "tz_known": [scan.tz_known for scan in steps],
        "scan_count": len(steps),
        "scans": [scan_of(scan) for scan in (*moves, *taken_back(replayed.aside))],
        "retracted": [
            f"{scan.event_name} {scan.occurred_at:%Y-%m-%dT%H:%M:%SZ}"
            for scan in taken_back(replayed.aside)
        ],
        "set_aside": [
            f"{each.scan.event_name} {each.scan.occurred_at:%Y-%m-%dT%H:%M:%SZ}"
            for each in replayed.aside
            if each.cause is Cause.IN_FUTURE
        ],
        "delivered_at": state.delivered_at,
        "zone": zone_of(state, moves),
        "eta": window_of(state.eta),
        "eta_original": window_of(state.eta_original),
        "place": next((said(scan.location) for scan in reversed(moves) if scan.location), None),
        "pickup": said(state.pickup),
        "proof": {
            name: value for scan in steps if scan.proof for name, value in said(scan.proof).items()
        },
        "left_out": [each.pointer for each in command.warnings],
    }


def window_of(eta):
    return eta and {"from": eta.earliest, "to": eta.latest}


def taken_back(aside):
    return [each.scan for each in aside if each.cause is Cause.RETRACTED]


def last_of(steps):
    """The newest scan that counts: not one that came after a delivery which stands."""
    late = (Rule.DELIVERED_STANDS, Rule.PICKED_UP_LATE)
    silent = (ETA_CHANGED, SCAN_RETRACTED)
    moves = [step for step in steps if step.scan.event_name not in silent]
    counted = [step.scan for step in moves if step.rule not in late]
    return counted[-1] if counted else None


def zone_of(state, scans):
    """The zone of the delivery, as it was said."""
    if state.delivered_at is None:
        return None
    at = [scan for scan in scans if scan.occurred_at == state.delivered_at]
    return at[-1].timezone if at else None


def scan_of(scan):
    return {
        "event_name": scan.event_name,
        "occurred_at": scan.written_on or scan.occurred_at,
        "said": (scan.name, scan.code),
        "precision": scan.precision.value,
        "tz_known": scan.tz_known,
    }


def said(value):
    if value is None:
        return None
    members = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: value for name, value in members.items() if value is not None}


def plain(value):
    """Times as text in UTC; a time without a zone is compared as it is written."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name != "source"}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, str) and INSTANT.fullmatch(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else value


def compare_scans(found, expected):
    def key(scan):
        return plain(scan["occurred_at"]), scan["event_name"]

    assert Counter(map(key, found)) == Counter(map(key, expected))
    for want in expected:
        same = [scan for scan in found if key(scan) == key(want)]
        codes = "/".join(filter(None, (want.get("code"), want.get("sub_code"))))
        assert any(
            has_code(scan, codes)
            and scan["precision"] == want.get("precision", scan["precision"])
            and scan["tz_known"] == want.get("tz_known", scan["tz_known"])
            for scan in same
        ), (want, same)


def has_code(scan, codes):
    return not codes or any(
        word is not None and (word == codes or word.startswith(f"{codes}/"))
        for word in (*scan["said"], scan["event_name"])
    )


ONLY_SAID = {"unique_id", "next_carrier", "pieces"}
"""Members of answers that say more of the payload than is read of it."""


def compare(found, answer):
    if answer.get("event_name", UNMAPPED) != UNMAPPED:
        # The newest scan is the sub-status, unless the answer says which one is.
        answer = {"sub_status": answer["event_name"], **answer}
    assert answer.keys() - found.keys() <= ONLY_SAID
    if "scans" in answer:
        compare_scans(found["scans"], answer["scans"])
    compared = {name for name in answer if name in found and name != "scans"}
    assert plain({name: found[name] for name in compared}) == plain(
        {name: answer[name] for name in compared}
    )


@pytest.mark.parametrize("path", ANSWERS, ids=name_of)
def test_payload_is_read_as_the_right_answer_says(path):
    answer, entries = answer_of(path), read(path)
    parcels = answer["parcels"]
    if "refused" in answer and not parcels:
        assert entries
        assert all(isinstance(entry, Rejection) for entry in entries)
        return
    read_or_named = [
        entry
        for entry in entries
        if isinstance(entry, DecodedItem) or any("rejected" in each for each in parcels)
    ]
    assert len(read_or_named) == len(parcels)
    for entry, parcel in zip(read_or_named, parcels, strict=True):
        compare(found_of(entry), parcel)
    if "refused" in answer:
        warned = [w for e in entries if isinstance(e, DecodedItem) for w in e.command.warnings]
        assert warned or len(entries) > len(read_or_named)


@pytest.mark.parametrize("path", ANSWERS, ids=name_of)
def test_payload_weighs_not_less_than_its_scans(path):
    entries = [entry for entry in read(path) if isinstance(entry, DecodedItem)]
    scans = [scan for each in entries for scan in each.command.scans]

    assert decode.weigh(record_of(path)) >= len(
        [scan for scan in scans if scan.event_name != ETA_CHANGED]
    )


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_has_cases_with_sources(name):
    cases = [answer_of(path) for path in ANSWERS if path.parent.name == name]

    assert len(cases) >= 5
    assert all(case["source"].startswith("https://") and case["what"] for case in cases)


XML = [path for path in ANSWERS if is_xml(payload_of(path))]


@pytest.mark.parametrize("path", XML, ids=name_of)
def test_xml_that_a_client_wrote_as_json_is_found_and_read_alike(path):
    try:
        body = decode_body(payload_of(path))
    except Malformed:
        return
    record = record_of(path)
    as_json = replace(record, value=json.dumps(body).encode())

    assert registry.shape_of(as_json.value) == registry.shape_of(record.value)
    assert list(map(found_of, decode.read(as_json, AS_OF))) == list(
        map(found_of, decode.read(record, AS_OF))
    )


@pytest.mark.parametrize("path", XML, ids=name_of)
def test_xml_has_its_shape_and_its_weight_in_utf_16(path):
    value = re.sub(r'encoding="[^"]*"', 'encoding="UTF-16"', payload_of(path).decode())
    record = record_of(path)
    wide = replace(record, value=value.strip().encode("utf-16"))

    assert registry.shape_of(wide.value) == registry.shape_of(record.value)
    assert decode.weigh(wide) == decode.weigh(record)


def test_payload_is_of_no_other_dialect_by_its_shape():
    for path in FOLDER.glob("*/*.answer.json"):
        assert registry.shape_of(payload_of(path)) in (path.parent.name, None), path
