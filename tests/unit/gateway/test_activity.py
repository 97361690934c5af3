"""Activities of a request: what is published of each, and what is refused."""

import json
from datetime import UTC, datetime

import pytest

from schemas.activity import Activity
from schemas.example_files import load_examples
from schemas.http import ACTIVITIES_MAX
from services.gateway.messages.activity import ActivityReader, read_items
from services.gateway.refusal import Refused

NOW = datetime(2026, 3, 3, 19, 2, 11, tzinfo=UTC)
CLICK = {"id": "1010", "kind": "click", "activity_id": "act-1"}


def read(*items, user_agent=None):
    """A reader after a request of shop demo-shop."""
    reader = ActivityReader("demo-shop", "/shops/demo-shop/pages", None, user_agent, NOW)
    reader.read(items)
    return reader


def values(reader):
    return [json.loads(record.value) for record in reader.records]


def refusal(*items):
    """What is refused of a request of which nothing is accepted."""
    with pytest.raises(Refused) as refused:
        read(*items)
    assert (refused.value.status, refused.value.reason) == (422, "invalid_body")
    return [(each.pointer, each.message) for each in refused.value.errors]


@pytest.mark.parametrize(
    "example", load_examples("portal.activity"), ids=lambda example: example.case
)
def test_activity_of_every_example_is_published_as_its_model_reads_it(example):
    reader = read(example.value)

    (published,) = values(reader)
    expected = Activity.model_validate(example.value)
    assert Activity.model_validate(published) == expected
    assert reader.refused == []


def test_activity_has_the_key_and_headers_of_the_contract():
    (record,) = read(CLICK).records

    headers = dict(record.headers)
    assert record.topic == "portal.activity"
    assert record.key == b"demo-shop/1010"
    assert headers["ce_type"] == b"portal.activity"
    assert headers["ce_source"] == b"/shops/demo-shop/pages"
    assert headers["ce_id"] == b"act-1"
    assert headers["ce_time"] == b"2026-03-03T19:02:11Z"


def test_activity_without_an_id_gets_one_of_its_own():
    nameless = {"id": "1010", "kind": "click"}

    first, second = read(nameless, nameless).records

    assert first.id != second.id
    assert "activity_id" not in json.loads(first.value)


@pytest.mark.parametrize(
    ("consent", "kept"),
    [({"consent": True}, "s-3f9c1a77b2"), ({"consent": False}, None), ({}, None)],
)
def test_activity_keeps_its_session_with_consent_alone(consent, kept):
    (value,) = values(read(CLICK | {"session_id": "s-3f9c1a77b2"} | consent))

    assert value.get("session_id") == kept


def test_activity_has_the_browser_that_sends_it_unless_it_names_one():
    own, other = values(read(CLICK, CLICK | {"user_agent": "Own/1"}, user_agent="B" * 5_000))

    assert own["user_agent"] == "B" * 1_024
    assert other["user_agent"] == "Own/1"


def test_activity_is_published_without_members_that_the_contract_does_not_name():
    (value,) = values(read(CLICK | {"note": "x" * 10_000, "theme": {"dark": True}}))

    assert value.keys() == {
        "shop_slug",
        "id",
        "id_type",
        "kind",
        "widget",
        "consent",
        "activity_id",
    }


def test_activity_is_refused_alone_with_pointers_into_the_body():
    reader = read(
        CLICK,
        {"id": "1010", "kind": "hover"},
        {"kind": "click"},
        "click",
        CLICK | {"shop_slug": "other-shop"},
        CLICK | {"consent": "maybe"},
    )

    assert len(reader.records) == 1
    assert [(each.index, each.errors[0].pointer) for each in reader.refused] == [
        (1, "/1/kind"),
        (2, "/2/id"),
        (3, "/3"),
        (4, "/4/shop_slug"),
        (5, "/5/consent"),
    ]
    assert reader.refused[3].errors[0].message == "must be demo-shop, or left out"


def test_activity_loses_what_only_describes_it_where_that_cannot_be_read():
    reader = read(CLICK | {"session_id": "short", "consent": True, "occurred_at": "yesterday"})

    (value,) = values(reader)
    assert value.keys().isdisjoint({"session_id", "occurred_at"})
    warnings = {each.warning.pointer for each in reader.records[0].warnings}
    assert warnings == {"/session_id", "/occurred_at"}


@pytest.mark.parametrize(
    ("occurred_at", "is_left_out"),
    [
        ("2026-02-01T19:02:11Z", False),
        ("2026-02-01T19:02:10Z", True),
        ("2026-03-04T19:02:11Z", False),
        ("2026-03-04T19:02:12Z", True),
    ],
)
def test_activity_loses_a_time_that_is_far_from_now_with_a_warning(occurred_at, is_left_out):
    (record,) = read(CLICK, CLICK | {"occurred_at": occurred_at}).records[1:]

    warned = [(each.index, each.warning.code, each.warning.pointer) for each in record.warnings]
    assert warned == ([(1, "value_left_out", "/occurred_at")] if is_left_out else [])
    assert ("occurred_at" in json.loads(record.value)) is not is_left_out


def test_activities_that_are_all_wrong_refuse_the_request():
    assert [pointer for pointer, _ in refusal({}, 7)] == ["/0/id", "/0/kind", "/1"]


def test_body_is_one_activity_or_a_list_of_some():
    assert read_items(json.dumps(CLICK).encode()) == [CLICK]
    assert len(read_items(json.dumps([CLICK] * ACTIVITIES_MAX).encode())) == ACTIVITIES_MAX


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "a request has 1 to 100 activities, not 0"),
        (json.dumps([CLICK] * 101).encode(), "a request has 1 to 100 activities, not 101"),
        (b'{"id": 1, "id": 2}', "twice"),
        (b"", "no body"),
        (b"{", "JSON"),
    ],
)
def test_body_that_is_no_list_of_activities_is_refused(body, message):
    with pytest.raises(Refused) as refused:
        read_items(body)

    assert refused.value.status == 422
    assert message in refused.value.errors[0].message
