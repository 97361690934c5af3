"""Dialects are found in their folders, and chosen by type, by media type, or by shape."""

import json
import re

import pytest

from services.orders.domain.model.commands import ReportTracking
from services.orders.messages import decode
from services.orders.messages.carriers import registry
from services.orders.messages.carriers.code_maps import FOLDER
from services.orders.messages.carriers.dialect import Dialect, OwnForm
from services.orders.messages.carriers.registry import DIALECTS, OWN, OWN_TYPE
from services.orders.messages.entries import DecodedItem
from tests.unit.orders.mutations import NOW, example_messages, original_of


def test_every_folder_with_a_parser_is_a_dialect():
    folders = {path.parent.name for path in FOLDER.glob("*/parser.py")}

    assert folders == DIALECTS.keys() | {"standard"}
    assert all(isinstance(each, Dialect) for each in DIALECTS.values())
    assert all(isinstance(each, OwnForm) for each in OWN.values())
    assert OWN.keys() == {OWN_TYPE} == {"tracking.reported"}


def test_dialect_is_a_known_type_of_carrier_tracking_only():
    for type_ in (*OWN, *registry.BY_TYPE):
        topics = {topic for topic, types in decode._KNOWN_TYPES.items() if type_ in types}
        assert topics == {decode.TRACKING}
    assert {type_: form.reader for type_, form in OWN.items()}.items() <= decode.READERS.items()


def test_first_type_of_a_dialect_is_named_for_its_folder():
    """The gateway's address is the name of the folder: docs/contract/http.md."""
    assert {name: each.types[0] for name, each in DIALECTS.items()} == {
        name: f"{name}.tracking" for name in DIALECTS
    }
    assert registry.TYPE_OF.keys() == DIALECTS.keys() | {"standard"}
    assert registry.TYPE_OF["standard"] == OWN_TYPE


def test_type_of_two_dialects_is_an_error():
    with pytest.raises(ValueError, match="message type 'a' is of both one and other"):
        registry._by({"one": ("a", "b"), "other": ("a",)}, "message type")


def test_examples_of_our_own_form_become_reports():
    entries = [
        entry
        for sent in example_messages()
        if (original := original_of(sent)).coordinates.topic == decode.TRACKING
        for entry in decode.read(original, NOW)
    ]
    read = [entry for entry in entries if isinstance(entry, DecodedItem)]

    assert read
    assert all(isinstance(entry.command, ReportTracking) for entry in read)
    assert {entry.item.envelope.type for entry in read} == {OWN_TYPE}


EXAMPLES = sorted(FOLDER.glob("*/examples/*.*"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_example_is_read_by_its_dialect_by_type_and_by_shape(path):
    name, value = path.parts[-3], path.read_bytes()
    typed = decode.read(original_of((decode.TRACKING, DIALECTS[name].types[0], value)), NOW)

    assert typed
    assert all(isinstance(entry, DecodedItem) for entry in typed)
    if DIALECTS[name].shape is not None:
        assert registry.shape_of(value) == name
        assert registry.shape_of(written_without_blanks(path)) == name


def written_without_blanks(path):
    if path.suffix == ".xml":
        return re.sub(rb">\s+<", b"><", path.read_bytes())
    return json.dumps(json.loads(path.read_bytes())).encode()


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_has_examples_and_a_code_map(name):
    assert any(path.parts[-3] == name for path in EXAMPLES)
    assert (FOLDER / name / "codes.csv").exists()


def test_message_of_no_dialect_and_no_type_is_of_our_own_form():
    assert registry.choose((), b'{"tracking_number": "1Z1", "scans": []}') is None
    assert registry.choose((("ce_type", b"tracking.reported"),), b"{}") is None
    assert registry.choose((("ce_type", b"order.explode"),), b"{}") is None


def test_media_type_chooses_before_the_shape_and_after_the_type(monkeypatch):
    monkeypatch.setattr(registry, "_BY_CONTENT_TYPE", {"application/vnd.acme+json": "acme"})
    media = ("content-type", b"Application/vnd.ACME+json; charset=utf-8")

    assert registry.choose((media,), b"{}") == "acme"
    assert registry.choose((("content-type", b"application/json"),), b"{}") is None
    type_, name = next(iter(registry.BY_TYPE.items()))
    assert registry.choose((media, ("ce_type", type_.encode())), b"{}") == name


def test_message_with_the_shapes_of_two_dialects_is_of_neither(monkeypatch):
    shapes = [(re.compile(b"a"), "one"), (re.compile(b"b"), "other")]
    monkeypatch.setattr(registry, "_SHAPES", shapes)

    assert registry.shape_of(b"a") == "one"
    assert registry.shape_of(b"ab") is None
