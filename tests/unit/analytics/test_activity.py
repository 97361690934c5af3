"""Activities of pages: what counts, as what, and which are the same one."""

from datetime import date

import orjson
import pytest
from msgspec.structs import replace

from schemas.identity import order_id
from services.analytics.domain.activity import BOT_WORDS, countables, is_bot, visits
from services.analytics.intake import read_batch
from services.analytics.messages.activity import read_activity
from services.runtime.batch.batch import Batch
from services.runtime.messages.records import Malformed
from tests.unit.analytics.builders import NOON, SHOP, an_activity, an_activity_record

SESSION = "visit-9c1f22"


def read(body=None, **changes):
    return read_activity(an_activity_record(body or an_activity(**changes))).activity


def count(*activities):
    """Impressions, clicks and visits of activities."""
    counted = countables(activities).values()
    return tuple(sum(getattr(e, n) for e in counted) for n in ("impressions", "clicks", "sessions"))


@pytest.mark.parametrize("word", BOT_WORDS)
def test_browser_with_a_word_of_bots_is_a_bot_in_any_case(word):
    assert is_bot(f"Mozilla/5.0 (compatible; x{word.upper()}/2.1)")
    assert read(user_agent=f"{word}/1.0") is None


@pytest.mark.parametrize("name", [None, "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Safari/605.1"])
def test_browser_without_such_a_word_or_a_name_is_no_bot(name):
    assert not is_bot(name)
    assert read(user_agent=name) is not None


def test_activity_counts_once_by_its_id_whatever_else_it_says():
    first = read(activity_id="a", occurred_at="2026-03-01T10:00:00Z")
    again = read(activity_id="a", occurred_at="2026-03-01T10:00:07Z")

    assert count(first, again, again) == (1, 0, 1)


def test_activity_of_another_shop_with_the_same_id_is_another_one():
    assert count(read(activity_id="a"), read(activity_id="a", shop_slug="other-shop")) == (2, 0, 2)


def test_activity_without_id_counts_once_a_second():
    activities = [
        read(occurred_at="2026-03-01T10:00:00.100Z"),
        read(occurred_at="2026-03-01T11:00:00.900+01:00"),
        read(occurred_at="2026-03-01T10:00:01Z"),
        read(occurred_at="2026-03-01T10:00:01Z", kind="click"),
        read(occurred_at="2026-03-01T10:00:01Z", widget="banner"),
        read(id="1002", occurred_at="2026-03-01T10:00:01Z"),
    ]

    assert count(*activities) == (4, 1, 2)


def test_visit_counts_once_for_each_campaign_widget_and_day():
    activities = [
        read(activity_id="a"),
        read(activity_id="b"),
        read(activity_id="c", widget="banner"),
        read(activity_id="d", occurred_at="2026-02-28T23:59:59Z"),
    ]

    assert count(*activities) == (4, 0, 3)
    (visit,) = visits(activities)
    assert visit.seen_on == date(2026, 2, 28)
    assert visit.order_id == str(order_id(SHOP, "1001"))


def test_activity_without_consent_is_no_visit():
    activity = read(consent=False)

    assert activity.session is None
    assert count(activity) == (1, 0, 0)
    assert visits([activity]) == []


def test_activity_without_consent_is_the_same_in_whatever_session():
    first, second = (read(consent=False, session_id=f"session-{n}") for n in range(2))

    assert first == second
    assert count(first, second, read(consent=False, session_id=None)) == (1, 0, 0)


@pytest.mark.parametrize("kind", ["external_id", "order_name"])
def test_activity_that_names_its_order_by_the_shops_other_ids_opens_no_page(kind):
    activity = read(id_type=kind)

    assert count(activity) == (1, 0, 1)
    assert visits([activity]) == []


def test_activity_may_name_its_order_by_uuid():
    named = str(order_id(SHOP, "1001"))

    assert read(id_type="uuid", id=named.upper()).order_id == named
    with pytest.raises(Malformed) as refused:
        read(id_type="uuid", id="1001")
    assert refused.value.errors[0].pointer == "/id"


@pytest.mark.parametrize(
    ("occurred_at", "headers", "day"),
    [
        ("2026-03-01T00:30:00+01:00", {}, date(2026, 2, 28)),
        (None, {}, date(2026, 3, 1)),
        (None, {"ce_time": "2026-02-27T08:00:00Z"}, date(2026, 2, 27)),
        ("2026-03-09T08:00:00Z", {}, date(2026, 3, 1)),
        ("2026-03-09T08:00:00Z", {"ce_time": "no time"}, date(2026, 3, 1)),
    ],
    ids=["offset", "time of the record", "ce_time", "future", "future, ce_time no time"],
)
def test_day_is_that_of_utc_and_not_after_the_message(occurred_at, headers, day):
    body = an_activity(occurred_at=occurred_at)

    assert read_activity(an_activity_record(body, **headers)).activity.seen_on == day


@pytest.mark.parametrize(
    ("occurred_at", "day"),
    [
        ("2026-01-30T12:00:00Z", date(2026, 1, 30)),
        ("2026-01-30T11:59:59Z", None),
        ("1850-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-03-02T12:00:00Z", date(2026, 3, 1)),
        ("2026-03-02T12:00:01Z", None),
        ("9999-12-31T23:59:59-12:00", None),
    ],
)
def test_time_that_is_far_from_the_message_is_left_out_with_a_warning(occurred_at, day):
    received = read_activity(an_activity_record(an_activity(occurred_at=occurred_at)))

    warned = [(each.code, each.pointer) for each in received.warnings]
    assert received.activity.seen_on == (day or NOON.date())
    assert warned == ([] if day else [("value_left_out", "/occurred_at")])
    if day is None:
        assert received.activity == read(occurred_at=None)


def test_time_of_a_message_of_which_no_day_can_be_made_is_refused():
    with pytest.raises(Malformed) as refused:
        read_activity(replace(an_activity_record(an_activity()), timestamp=NOON.replace(year=2500)))

    assert [error.pointer for error in refused.value.errors] == ["/headers/ce_time"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("product_sku", "x" * 2_000),
        ("session_id", "short"),
        ("occurred_at", "today"),
        ("widget", 7),
    ],
)
def test_describing_value_that_is_wrong_is_cut_or_left_out_with_a_warning(member, value):
    received = read_activity(an_activity_record(an_activity(**{member: value})))

    assert received.activity is not None
    assert [warning.pointer for warning in received.warnings] == [f"/{member}"]


def test_widget_that_is_not_known_counts_as_other():
    assert read(widget="carousel").widget == "other"


@pytest.mark.parametrize(
    ("member", "value"),
    [("kind", "hover"), ("kind", None), ("campaign_id", "a b"), ("id", None)],
)
def test_activity_with_a_wrong_fact_is_refused(member, value):
    with pytest.raises(Malformed) as refused:
        read(an_activity() | {member: value})

    assert refused.value.reason == "invalid_fields"
    assert [error.pointer for error in refused.value.errors] == [f"/{member}"]


def test_message_of_another_type_is_refused():
    with pytest.raises(Malformed) as refused:
        read_activity(an_activity_record(an_activity(), ce_type="order.place"))

    assert refused.value.reason == "unknown_type"


@pytest.mark.parametrize(
    "refused",
    [
        an_activity(kind="hover", session_id=SESSION, consent=False, user_agent=SESSION),
        an_activity(kind="hover", session_id=SESSION, consent=True, user_agent=SESSION),
        an_activity(session_id=f"{SESSION}\x00"),
        an_activity(kind="hover") | {"sessionId": SESSION, "nested": {"session_id": SESSION}},
        [SESSION],
        SESSION,
    ],
    ids=["without consent", "with consent", "nul", "other members", "list", "text"],
)
def test_refused_activity_is_kept_without_its_visitor(refused):
    record = an_activity_record(refused)

    (rejection,) = read_batch(Batch((record,), NOON)).refused

    assert SESSION.encode() in record.value
    assert SESSION.encode() not in (rejection.original.value or b"")
    assert SESSION not in f"{rejection.detail}{rejection.errors}"
    assert rejection.original.coordinates == record.coordinates
    if isinstance(refused, dict):
        assert orjson.loads(rejection.original.value)["activity_id"] == refused["activity_id"]


def test_refused_activity_that_cannot_be_read_is_kept_without_its_body():
    record = an_activity_record(f'{{"session_id": "{SESSION}"'.encode())

    (rejection,) = read_batch(Batch((record,), NOON)).refused

    assert rejection.original.value is None
