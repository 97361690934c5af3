"""Payloads of other companies: of JSON and XML, one item a parcel, and nothing raises."""

import copy
import json
import random
from dataclasses import replace as with_members

import pytest
from msgspec.structs import replace

from services.orders.messages import decode
from services.orders.messages.carriers import foreign
from services.orders.messages.carriers.bodies import decode_body
from services.orders.messages.carriers.code_maps import FOLDER
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import (
    carrier_key,
    each_having,
    each_named,
    each_with_pointer,
    either,
    link,
    member,
    text,
)
from services.orders.messages.carriers.registry import DIALECTS, shape_of
from services.orders.messages.carriers.reports import readable
from services.orders.messages.entries import DecodedItem, UndecodedItem
from services.runtime.messages.item_subset import items_header
from services.runtime.messages.json_codec import Malformed
from services.runtime.rejections import Rejection
from tests.unit.orders.mutations import NOW, VALUES, original_of
from tests.unit.orders.test_carrier_corpus import ANSWERS, answer_of, payload_of

XML = """<?xml version="1.0" encoding="{encoding}"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="urn:toy">
 <soap:Body><t:parcels>
  <t:parcel nr="TOY100"><t:scan><t:code>DLV</t:code><t:at>2026-03-02T10:00:00+0100</t:at>
   <t:town>Köln</t:town></t:scan></t:parcel>
  <t:parcel nr="TOY200"><t:scan><t:code>PU</t:code><t:at>2026-03-01T10:00:00Z</t:at></t:scan>
   <t:scan><t:code>DLV</t:code><t:at>2026-03-02T10:00:00Z</t:at></t:scan></t:parcel>
 </t:parcels></soap:Body>
</soap:Envelope>"""


def toy_parts(body):
    parcels = member(body, "Envelope", "Body", "parcels", "parcel")
    for pointer, parcel in each_with_pointer(parcels, "/Envelope/Body/parcels/parcel"):
        yield Part(pointer, parcel)


def toy_report(parcel):
    found = readable(member(parcel, "scan"), "/scan", toy_scan, None)
    number = text(member(parcel, "@nr"))
    return ParcelReport(
        tracking_number=number, carrier="toy", scans=found.scans, left_out=found.left_out
    )


def toy_scan(scan, _):
    return SaidScan(moment=moment_of(member(scan, "at")), code=text(member(scan, "code")))


TOY = Dialect(types=("toy.xml",), scan_marks=(b"at>",), parts=toy_parts, report=toy_report)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(foreign, "DIALECTS", {"toy": TOY})
    return lambda value, only=None: tuple(foreign.read_payload(record(value), "toy", NOW, only))


def record(value, type_="toy.xml"):
    return original_of((decode.TRACKING, type_, value))


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16"])
def test_xml_is_read_in_its_encoding_with_one_item_a_parcel(toy, encoding):
    entries = toy(XML.format(encoding=encoding).encode(encoding))

    assert [each.item.index for each in entries] == [0, 1]
    assert [each.command.tracking_number for each in entries] == ["TOY100", "TOY200"]
    assert [len(each.command.scans) for each in entries] == [1, 2]
    assert len({each.item.item_id for each in entries}) == 2


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_xml_that_says_utf_16_and_is_utf_8_is_read(toy, mark):
    entries = toy((mark + XML.format(encoding="utf-16")).encode())

    assert [each.command.tracking_number for each in entries] == ["TOY100", "TOY200"]


def test_xml_in_utf_16_is_chosen_by_its_shape():
    (path,) = (FOLDER / "usps" / "examples").glob("*.xml")
    value = path.read_text("utf-8").replace("UTF-8", "UTF-16").encode("utf-16")

    assert shape_of(value) == "usps"


BOMB = (
    b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><p>&b;&b;&b;</p>'
)
EXTERNAL = b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>&x;</p>'


@pytest.mark.parametrize(
    "value",
    [
        BOMB,
        EXTERNAL,
        b"<!DOCTYPE p SYSTEM 'http://127.0.0.1/x.dtd'><p/>",
        b"<p>",
        b"<p></q>",
        b"<p>&undefined;</p>",
        b"<" * 1000,
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"\xff\xfe<\x00",
        b"<?xml version='1.0' encoding='no-such-encoding'?><p/>",
        b"<p>\x00</p>",
        b"<p>\xff</p>",
    ],
)
def test_xml_that_is_not_plain_is_refused(toy, value):
    (entry,) = toy(value)

    assert isinstance(entry, Rejection)
    assert entry.reason == "not_xml"
    assert entry.original.value == value


def test_xml_value_has_lists_attributes_and_texts():
    value = b'<r xmlns="urn:x"><a k="1">t</a><b/><b>2</b><c><d/></c></r>'

    assert decode_body(value) == {
        "r": {"a": {"@k": "1", "#text": "t"}, "b": [None, "2"], "c": {"d": None}}
    }


def test_part_alone_is_the_same_item_with_the_same_command(toy):
    for entry in toy(XML.format(encoding="UTF-8").encode()):
        kept = foreign.alone(entry.item)
        (again,) = tuple(foreign.read_payload(kept, "toy", NOW, entry.item.index))

        assert again.command == entry.command
        assert again.item.item_id == entry.item.item_id
        assert decode.pointer_of(again.item) == decode.pointer_of(entry.item)
        assert len(kept.value) < 400


MANY = [
    path for path in ANSWERS if path.parent.name in DIALECTS and len(answer_of(path)["parcels"]) > 1
]


@pytest.mark.parametrize("path", MANY, ids=lambda path: path.stem)
def test_item_of_many_that_waits_is_kept_alone(path):
    value = payload_of(path)
    entries = decode.read(record(value, DIALECTS[path.parent.name].types[0]), NOW)
    decoded = [entry for entry in entries if isinstance(entry, DecodedItem)]

    assert all(decode.is_of_many(entry.item) for entry in decoded)
    for entry in decoded:
        again = decode.read_item(decode.alone(entry), entry.item.index, NOW)
        assert again.command == entry.command
        assert decode.pointer_of(again.item) == decode.pointer_of(entry.item)
        assert decode.is_of_many(again.item)
        twice = decode.read_item(decode.alone(again), entry.item.index, NOW)
        assert twice.command == entry.command


@pytest.mark.parametrize("name", ["easypost/delivered-home", "dpd/001"])
def test_only_parcel_of_a_payload_is_kept_as_it_came(name):
    path = next(path for path in ANSWERS if str(path).endswith(f"{name}.answer.json"))
    value = payload_of(path)
    original = record(value, DIALECTS[path.parent.name].types[0])
    (entry,) = decode.read(original, NOW)

    assert decode.alone(entry) == original
    assert not decode.is_of_many(entry.item)


def test_items_that_a_header_names_are_read_alone(toy):
    original = record(XML.format(encoding="UTF-8").encode())
    named = replace(original, headers=(*original.headers, items_header([1])))
    (entry,) = foreign.read_payload(named, "toy", NOW, None)

    assert entry.command.tracking_number == "TOY200"


def test_part_alone_that_is_sent_again_by_its_index_is_read(toy):
    _, second = toy(XML.format(encoding="UTF-8").encode())
    kept = foreign.alone(second.item)
    named = replace(kept, headers=(*kept.headers, items_header([1])))
    (entry,) = foreign.read_payload(named, "toy", NOW, None)

    assert (entry.item.index, entry.command) == (1, second.command)


def test_parcel_that_another_parser_found_is_refused_where_it_is_not_found(toy):
    (entry,) = toy(XML.format(encoding="UTF-8").encode(), only=7)

    assert (entry.reason, entry.index) == ("invalid_fields", 7)


def test_bug_of_a_parser_parks_its_parcel_alone(toy, monkeypatch):
    def break_on_poison(parcel):
        if member(parcel, "@nr") == "TOY100":
            raise KeyError("an unforeseen parcel")
        return toy_report(parcel)

    monkeypatch.setattr(foreign, "DIALECTS", {"toy": with_members(TOY, report=break_on_poison)})
    broken, sound = foreign.read_payload(
        record(XML.format(encoding="UTF-8").encode()), "toy", NOW, None
    )

    assert isinstance(broken, UndecodedItem)
    assert isinstance(sound, DecodedItem)


@pytest.mark.parametrize("headers", [(), (("ce_type", b"aftership.tracking"),)])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_json_in_another_encoding_is_refused_as_such(headers, encoding):
    value = '{"msg": {"tracking_number": "Ü1"}}'.encode(encoding)
    (entry,) = decode.read(replace(record(value), headers=headers), NOW)

    assert entry.reason == "not_utf8"


def test_xml_without_a_type_that_no_dialect_has_is_refused_with_the_types():
    original = replace(record(b"<p/>"), headers=())
    (entry,) = decode.read(original, NOW)

    assert entry.reason == "unknown_type"
    assert "aftership.tracking" in entry.detail


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_is_chosen_by_type_by_shape_and_in_structured_mode(name):
    path, dialect = min((FOLDER / name / "examples").iterdir()), DIALECTS[name]
    typed = record(path.read_bytes(), dialect.types[0])
    sent = [typed, replace(typed, value=b"\xef\xbb\xbf" + typed.value)]
    if dialect.shape is not None:
        sent.append(replace(typed, headers=(("ce_id", b"1"), ("ce_source", b"/x"))))
    if path.suffix == ".json":
        members = {"specversion": "1.0", "type": dialect.types[0], "source": "/x", "id": "1"}
        value = json.dumps(members | {"data": json.loads(typed.value)}).encode()
        media = (("content-type", b"application/cloudevents+json"),)
        sent.append(replace(typed, headers=media, value=value))
    entries = [decode.read(each, NOW) for each in sent]

    assert len({len(each) for each in entries}) == 1
    assert len({each[0].command.scans for each in entries}) == 1
    assert {each[0].item.envelope.type for each in entries} == {dialect.types[0]}


def test_payload_that_names_no_parcel_is_refused():
    for name, dialect in DIALECTS.items():
        for value in (b"[]", b"7", b'"x"', b'{"data": []}', b"{}"):
            (entry,) = decode.read(record(value, dialect.types[0]), NOW)
            assert entry.reason == "invalid_fields", name


@pytest.mark.parametrize("value", [b"", b"null", b"{", b"\xff", b'{"a": NaN}', b'{"a":1,"a":2}'])
def test_body_that_is_no_json_is_refused_with_its_reason(value):
    for dialect in DIALECTS.values():
        (entry,) = decode.read(record(value, dialect.types[0]), NOW)
        assert isinstance(entry, Rejection)
        assert entry.reason not in ("invalid_fields", "unknown_type")


MUTATIONS = 4_000
JSON_CASES = [
    path
    for path in ANSWERS
    if path.parent.name in DIALECTS and payload_of(path).lstrip()[:1] in (b"{", b"[")
]


def mutated(rng):
    path = rng.choice(JSON_CASES)
    body = json.loads(payload_of(path))
    for _ in range(rng.randint(1, 4)):
        holder = body
        while isinstance(holder, dict | list) and holder:
            key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            inner = holder[key]
            if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
                holder[key] = copy.deepcopy(rng.choice(VALUES))
                break
            holder = inner
    value = json.dumps(body).encode()
    if rng.random() < 0.1:
        at = rng.randrange(len(value))
        value = value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]
    headers = (("ce_type", DIALECTS[path.parent.name].types[0].encode()),)
    return replace(record(value), headers=() if rng.random() < 0.2 else headers)


def test_no_exception_leaves_a_parser():
    rng = random.Random(18)
    ended = [decode.read(mutated(rng), NOW) for _ in range(MUTATIONS)]

    assert all(ended)
    assert not [each for entries in ended for each in entries if isinstance(each, UndecodedItem)]
    assert sum(isinstance(e, DecodedItem) for entries in ended for e in entries) > MUTATIONS / 2


def test_texts_links_and_keys_are_bounded():
    assert text("a\x00b\nc ") == "a b c"
    assert text("x" * 300, 10) == "x" * 10
    assert text(True) is text([]) is text("  ") is text(10**50) is None
    assert text(12) == "12"
    assert link("javascript:x") is link("https://a b") is None
    assert carrier_key(" DHL Express!") == "dhlexpress"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (rb'{"city": "Pots\u0000dam"}', {"city": "Potsdam"}),
        (rb'{"a\u0000": ["\u0000\u0000"]}', {"a": [""]}),
        (rb'{"a": "\\u0000"}', {"a": r"\u0000"}),
        (rb'{"a": "\\\u0000"}', {"a": "\\"}),
    ],
)
def test_nul_character_in_a_payload_is_left_out(value, read):
    assert decode_body(value) == read


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"item": {"a": 1}}, [("/item", {"a": 1})]),
        (
            {"x": {"y": {"item": [{"a": 1}, None, 2]}}},
            [("/x/y/item/0", {"a": 1}), ("/x/y/item/2", 2)],
        ),
        ([{"item": 1}, {"x/y": [{"item": 2}]}], [("/0/item", 1), ("/1/x~1y/0/item", 2)]),
        ({"item": {"item": 1}}, [("/item", {"item": 1})]),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"item": 1}}}}}}}}, []),
        ({"item": None}, []),
        (7, []),
        (None, []),
    ],
)
def test_members_of_a_name_are_found_within_wrappers(value, found):
    assert list(each_named(value, "item")) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"scans": []}, [("", {"scans": []})]),
        (
            {"d": [{"list": 1, "scans": {"scans": 2}}]},
            [("/d/0", {"list": 1, "scans": {"scans": 2}})],
        ),
        (
            [{"list": None}, {"x/y": {"list": 2}}, 3],
            [("/0", {"list": None}), ("/1/x~1y", {"list": 2})],
        ),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"list": 1}}}}}}}}, []),
        (None, []),
    ],
)
def test_objects_with_a_member_are_found_within_wrappers(value, found):
    assert list(each_having(value, ("list", "scans"))) == found


def test_first_member_that_is_not_empty_counts():
    assert either({"a": None, "b": "", "c": 0, "d": 1}, "a", "b", "c", "d") == 0
    assert either({}, "a") is either([], "a") is either(None) is None


def test_body_of_neither_json_nor_xml_is_malformed():
    with pytest.raises(Malformed):
        decode_body(b"number=1Z")
