"""Times as carriers write them: docs/scan-rules.md, rules 9 to 11. One line a form of a carrier."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.tracking.scan import Precision
from services.orders.messages.carriers.moments import (
    Moment,
    day_or_instant,
    in_zone,
    moment_of,
    unix_moment,
)
from services.orders.messages.carriers.written_times import written_time

BRUSSELS, NEW_YORK = "Europe/Brussels", "America/New_York"


def brief(moment):
    """Instant, zone and precision of a moment, in few characters."""
    at = f"{moment.at:%Y-%m-%dT%H:%M:%S.%f}".removesuffix(".000000")
    return at, moment.timezone if moment.tz_known else "?", moment.precision.value


FORMS = [
    # What the carrier writes; what it says beside; the instant in UTC, the zone, how exact it is.
    ("DPD SOAP", "8/18/2021 4:41:00 PM", {"day_first": False, "zone": BRUSSELS},
     ("2021-08-18T14:41:00", BRUSSELS, "second")),
    ("DPD SOAP, noon", "8/18/2021 12:00:00 PM", {"day_first": False},
     ("2021-08-18T12:00:00", "?", "second")),
    ("DPD SOAP, after midnight", "8/18/2021 12:05:00 AM", {"day_first": False},
     ("2021-08-18T00:05:00", "?", "second")),
    ("DPD, day first", "18.08.2021 16:41", {"day_first": True, "zone": BRUSSELS},
     ("2021-08-18T14:41:00", BRUSSELS, "minute")),
    ("Landmark, a true time", "11/20/2026 12:35 AM", {"day_first": False},
     ("2026-11-20T00:35:00", "?", "minute")),
    ("Landmark, midnight", "11/20/2026 12:00 AM", {"day_first": False},
     ("2026-11-20T00:00:00", "?", "day")),
    ("UPS", "20210818", {"clock": "164100"}, ("2021-08-18T16:41:00", "?", "second")),
    ("UPS with UTC", "20261101",
     {"clock": "013000", "utc": "20261101", "utc_clock": "06:30:00", "offset": "-05:00"},
     ("2026-11-01T06:30:00", "-05:00", "second")),
    ("UPS with UTC, no offset", "20261101",
     {"clock": "013000", "utc": "20261101", "utc_clock": "053000"},
     ("2026-11-01T05:30:00", "-04:00", "second")),
    ("UPS, midnight", "20261101", {"clock": "000000"}, ("2026-11-01T00:00:00", "?", "day")),
    ("UPS, midnight in UTC alone", "20261031",
     {"clock": "200000", "utc": "20261101", "utc_clock": "00:00:00", "offset": "-04:00"},
     ("2026-11-01T00:00:00", "-04:00", "second")),
    ("UPS, no time", "20261101", {"clock": " "}, ("2026-11-01T00:00:00", "?", "day")),
    ("USPS, two fields", "August 18, 2021", {"clock": "3:41 pm", "zone": NEW_YORK},
     ("2021-08-18T19:41:00", NEW_YORK, "minute")),
    ("USPS, no time", "August 18, 2021", {"clock": ""}, ("2021-08-18T00:00:00", "?", "day")),
    ("USPS with UTC that has seconds", "2026-11-22T13:58:00",
     {"utc": "2026-11-22T18:58:40Z", "offset": "-05:00"},
     ("2026-11-22T18:58:40", "-05:00", "second")),
    ("FedEx", "2026-11-20T12:31:00-05:00", {}, ("2026-11-20T17:31:00", "-05:00", "second")),
    ("FedEx, a day", "2024-08-15T00:00:00", {}, ("2024-08-15T00:00:00", "?", "day")),
    ("FedEx SOAP", "2026-11-20", {"clock": "12:31:00", "offset": "-0500"},
     ("2026-11-20T17:31:00", "-05:00", "second")),
    ("GLS", "2026-11-20T10:02:00+0200", {}, ("2026-11-20T08:02:00", "+02:00", "second")),
    ("GLS, two fields", "20.11.2026", {"clock": "10:02:00", "day_first": True},
     ("2026-11-20T10:02:00", "?", "second")),
    ("Hermes", "2026-11-19T08:30:00+01:00", {}, ("2026-11-19T07:30:00", "+01:00", "second")),
    ("La Poste", "2026-11-21T09:38:00+01:00", {}, ("2026-11-21T08:38:00", "+01:00", "second")),
    ("bpost", "2026-11-20T07:11:18.923+01:00", {},
     ("2026-11-20T06:11:18.923000", "+01:00", "second")),
    ("Canada Post", "2026-11-20", {"clock": "11:59:59", "zone": "EST"},
     ("2026-11-20T16:59:59", "-05:00", "second")),
    ("Canada Post, Newfoundland", "2026-11-20", {"clock": "11:59:59", "zone": "NST"},
     ("2026-11-20T15:29:59", "-03:30", "second")),
    ("17TRACK, raw", "2026-11-22", {"clock": "14:05:00", "zone": "+01:00"},
     ("2026-11-22T13:05:00", "+01:00", "second")),
    ("17TRACK, no zone", "2026-11-22", {"clock": "14:05:00", "zone": None},
     ("2026-11-22T14:05:00", "?", "second")),
    ("Shippo", "2026-11-23T20:10:00Z", {}, ("2026-11-23T20:10:00", "UTC", "second")),
    ("Shippo, fraction", "2026-11-23T20:10:00.5Z", {},
     ("2026-11-23T20:10:00.500000", "UTC", "second")),
    ("ShipEngine", "2026-11-21T13:10:00", {"utc": "2026-11-21T19:10:00Z"},
     ("2026-11-21T19:10:00", "-06:00", "second")),
    ("ShipEngine, UTC alone", None, {"utc": "2026-11-21T19:10:00Z"},
     ("2026-11-21T19:10:00", "UTC", "second")),
    ("DHL Paket", "25.10.2026 04:00", {"day_first": True, "zone": "Europe/Berlin"},
     ("2026-10-25T03:00:00", "Europe/Berlin", "minute")),
    ("DHL unified, a day", "2026-11-21", {}, ("2026-11-21T00:00:00", "?", "day")),
    ("AfterShip", "2026-11-20T10:00:00", {}, ("2026-11-20T10:00:00", "?", "second")),
    ("periods", "8/18/2021 04:41 p.m.", {"day_first": False},
     ("2021-08-18T16:41:00", "?", "minute")),
    ("GMT", "2026-11-20 10:00:00 GMT+2", {}, ("2026-11-20T08:00:00", "+02:00", "second")),
    ("UTC and minutes", "2026-11-20 10:00:00 UTC+05:30", {},
     ("2026-11-20T04:30:00", "+05:30", "second")),
    ("abbreviation", "2026-07-20 10:00 EDT", {}, ("2026-07-20T14:00:00", "-04:00", "minute")),
    ("name", "2026-07-20T10:00:00[Europe/Berlin]", {},
     ("2026-07-20T08:00:00", "Europe/Berlin", "second")),
    ("offset and name", "2026-07-20T10:00:00+02:00[Europe/Berlin]", {},
     ("2026-07-20T08:00:00", "+02:00", "second")),
    ("JSON of .NET", "/Date(1772625600000+0100)/", {},
     ("2026-03-04T12:00:00", "+01:00", "second")),
    ("JSON of .NET in UTC", "/Date(1772625601500)/", {},
     ("2026-03-04T12:00:01.500000", "UTC", "second")),
    ("mail", "Fri, 20 Nov 2026 09:30:00 +0100", {}, ("2026-11-20T08:30:00", "+01:00", "second")),
    ("day and month", "18-Aug-2021 16:41", {}, ("2021-08-18T16:41:00", "?", "minute")),
    ("compact", "20210818164100", {}, ("2021-08-18T16:41:00", "?", "second")),
    ("leap second", "2016-12-31T23:59:60Z", {}, ("2016-12-31T23:59:59", "UTC", "second")),
    ("day of a week", "2026-W12-1T10:00:00Z", {}, ("2026-03-16T10:00:00", "UTC", "second")),
    ("24-hour clock with PM", "8/18/2021 16:41 PM", {"day_first": False},
     ("2021-08-18T16:41:00", "?", "minute")),
    ("day or month first", "8/9/2021", {"day_first": False}, ("2021-08-09T00:00:00", "?", "day")),
    ("day or month first", "8/9/2021", {"day_first": True}, ("2021-09-08T00:00:00", "?", "day")),
]  # fmt: skip


@pytest.mark.parametrize(("said", "beside", "found"), [form[1:] for form in FORMS],
                         ids=[form[0] for form in FORMS])  # fmt: skip
def test_moment_is_read_as_carriers_write_it(said, beside, found):
    assert brief(moment_of(said, **beside)) == found


ZONES = [
    # An offset, before the UTC field, before a field of the offset, before the zone by name.
    ("2026-11-20T10:00:00+02:00", {"utc": "2026-11-20T09:00:00Z", "zone": NEW_YORK},
     ("2026-11-20T08:00:00", "+02:00")),
    ("2026-11-20T10:00:00", {"utc": "2026-11-20T09:00:00Z", "offset": "+02:00", "zone": NEW_YORK},
     ("2026-11-20T09:00:00", "+01:00")),
    ("2026-11-20T10:00:00", {"offset": "+02:00", "zone": NEW_YORK},
     ("2026-11-20T08:00:00", "+02:00")),
    ("2026-11-20T10:00:00", {"zone": NEW_YORK}, ("2026-11-20T15:00:00", NEW_YORK)),
    # An abbreviation is an offset, in summer too.
    ("2026-07-20T10:00:00", {"zone": "CET"}, ("2026-07-20T09:00:00", "+01:00")),
    ("2026-07-20T10:00:00", {"zone": "CEST"}, ("2026-07-20T08:00:00", "+02:00")),
    # What cannot be read counts as not there.
    ("2026-11-20T10:00:00", {"offset": "local", "zone": NEW_YORK},
     ("2026-11-20T15:00:00", NEW_YORK)),
    ("2026-11-20T10:00:00", {"utc": "soon", "offset": "-5"}, ("2026-11-20T15:00:00", "-05:00")),
    ("2026-11-20T10:00:00", {"utc": "2026-11-20"}, ("2026-11-20T10:00:00", "?")),
    ("2026-11-20T10:00:00", {"zone": "Nowhere/Town"}, ("2026-11-20T10:00:00", "?")),
    ("2026-11-20T10:00:00", {"zone": "IST"}, ("2026-11-20T10:00:00", "?")),
    ("2026-11-20T10:00:00", {"zone": 7, "offset": []}, ("2026-11-20T10:00:00", "?")),
    # A UTC field of another day is of something else; one that is a few minutes off counts.
    ("2026-11-20T10:00:00", {"utc": "2026-11-22T10:00:00Z"}, ("2026-11-20T10:00:00", "?")),
    ("2026-11-20T10:00:00", {"utc": "2026-11-20T09:05:00Z", "offset": "+01:00"},
     ("2026-11-20T09:05:00", "+01:00")),
    ("2026-11-20T10:00:00", {"utc": "2026-11-20T04:15:00Z"}, ("2026-11-20T04:15:00", "+05:45")),
]  # fmt: skip


@pytest.mark.parametrize(("said", "beside", "found"), ZONES)
def test_zone_is_the_first_that_the_carrier_says(said, beside, found):
    assert brief(moment_of(said, **beside))[:2] == found


@pytest.mark.parametrize(
    ("said", "precision", "found"),
    [
        ("2026-11-20T00:00:00+01:00", None, ("day", date(2026, 11, 20))),
        ("2026-11-20T00:35:00+01:00", None, ("second", None)),
        ("2026-11-20T00:00:00+01:00", Precision.SECOND, ("second", None)),
        ("2026-11-20T00:00+01:00", Precision.MINUTE, ("minute", None)),
        ("2026-11-20T10:00:00+01:00", Precision.DAY, ("day", date(2026, 11, 20))),
    ],
)
def test_midnight_is_a_day_unless_the_carrier_says_otherwise(said, precision, found):
    moment = moment_of(said, precision=precision)

    assert (moment.precision.value, moment.written_on) == found


@pytest.mark.parametrize(
    ("said", "beside"),
    [
        *((said, {}) for said in (None, "", " ", "soon", 7, True, [], {}, "x" * 10_000, "T10:00")),
        *((said, {}) for said in ("2026-02-30", "2026-13-01", "2026-03-02T25:00:00", "10:00")),
        *((said, {}) for said in ("2026-03-02T10:61:00", "2026-03-02T10:00:00+99:99")),
        *((said, {}) for said in ("2026-03-02T10:00:00+01:75", "2026-03-02 10:00 noon")),
        *((said, {}) for said in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00")),
        *((said, {}) for said in ("1969-12-31", "2100-01-01", "Mon, 99 Foo", "20261301")),
        # Nothing says which number is the day.
        *((said, {}) for said in ("31/12/2026", "8/18/2021 4:41:00 PM", "25.10.2026")),
        ("8/18/2021", {"day_first": True}),
        ("18/8/21", {"day_first": True}),
        ("8/18/2021 16:41 AM", {"day_first": False}),
        ("20261120", {"clock": "soon"}),
        ("20261120", {"clock": 7}),
        ("20261120", {"clock": "250000"}),
    ],
)
def test_text_that_is_no_time_is_a_value_error(said, beside):
    with pytest.raises(ValueError, match=r"\w"):
        moment_of(said, **beside)
    assert day_or_instant(said, **beside) is None


@pytest.mark.parametrize("said", [None, True, -1, 10**30, "1", 1.5])
def test_number_that_is_no_unix_time_is_a_value_error(said):
    with pytest.raises(ValueError, match=r"\w"):
        unix_moment(said)


@pytest.mark.parametrize(
    ("said", "beside", "end"),
    [
        ("2026-11-21T00:00:00+01:00", {}, date(2026, 11, 21)),
        ("11/21/2026", {"day_first": False}, date(2026, 11, 21)),
        ("2026-11-21T17:00:00", {}, date(2026, 11, 21)),
        ("2026-11-21T17:00:00Z", {}, datetime(2026, 11, 21, 17, tzinfo=UTC)),
        ("20261121", {"clock": "000000"}, date(2026, 11, 21)),
    ],
)
def test_end_of_an_eta_is_a_day_or_an_instant(said, beside, end):
    assert day_or_instant(said, **beside) == end


# A later map, payload or neighbour may find another zone: the key must not change with it.


@pytest.mark.parametrize(
    ("said", "beside", "local"),
    [
        ("2026-11-20T10:00:00", {}, "10:00"),
        ("2026-11-20T10:00:00", {"zone": NEW_YORK}, "10:00"),
        ("2026-11-20T10:00:00[America/New_York]", {}, "10:00"),
        ("2026-11-01T01:30:00", {"zone": NEW_YORK}, "01:30"),
        ("2026-11-20T10:00:00+02:00", {}, None),
        ("2026-11-20T10:00:00", {"utc": "2026-11-20T09:00:00Z"}, None),
        ("2026-11-20T10:00:00", {"zone": "EST"}, None),
    ],
)
def test_moment_keeps_the_time_as_written_where_the_zone_was_found(said, beside, local):
    found = moment_of(said, **beside).local

    assert (found and f"{found:%H:%M}") == local


def test_local_time_that_the_clocks_skip_is_read_by_the_offset_before():
    found = moment_of("2026-03-29T02:30:00", "Europe/Berlin")

    assert (found.at, found.tz_known) == (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), True)
    assert found.second is None


def test_local_time_that_the_clocks_repeat_is_the_first_with_the_other_beside():
    found = moment_of("2026-10-25T02:30:00", "Europe/Berlin")

    assert found.at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert found.second == found.at + timedelta(hours=1)


def test_zone_that_is_not_known_changes_nothing():
    moment = moment_of("2026-10-25T02:30:00")

    assert in_zone(moment, "Nowhere/Town") is moment
    assert in_zone(moment, None) is moment


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80) | st.floats(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)
WORDS = "2026 1970 2099 99 60 59 31 24 12 00 9 / - . : T Z + , AM p.m. GMT EST Aug [ ] Europe/Rome"
PIECES = st.sampled_from([*WORDS.split(" "), " ", "\u0661", "\x00"])
TIMES = st.lists(PIECES, max_size=12).map("".join)


@given(
    VALUES | TIMES, VALUES | TIMES, VALUES | TIMES, VALUES | TIMES, st.sampled_from([None, 0, 1])
)
def test_moment_raises_nothing_but_a_value_error(said, clock, utc, zone, day_first):
    for beside in (
        {},
        {"clock": clock, "zone": zone},
        {"utc": utc, "utc_clock": clock, "offset": zone},
        {"day_first": day_first},
    ):
        day_or_instant(said, **{k: v for k, v in beside.items() if k in ("clock", "day_first")})
        try:
            found = moment_of(said, **beside)
        except ValueError:
            continue
        assert isinstance(found, Moment)
        assert found.at.utcoffset() == timedelta()


SPELLINGS = [
    ("%Y-%m-%dT%H:%M:%S", {}),
    ("%Y%m%d%H%M%S", {}),
    ("%Y/%m/%d %H:%M:%S", {}),
    ("%m/%d/%Y %I:%M:%S %p", {"day_first": False}),
    ("%d.%m.%Y, %H:%M:%S", {"day_first": True}),
    ("%B %d, %Y %I:%M:%S %p", {}),
    ("%d %b %Y %H:%M:%S", {}),
]
SECONDS = st.integers(2 * 86_400, 4_102_000_000)
LOCALS = SECONDS.map(lambda seconds: datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None))


@given(LOCALS, st.integers(-14 * 60, 14 * 60))
def test_written_time_is_read_back(local, minutes):
    for spelling, beside in SPELLINGS:
        assert written_time(f"{local:{spelling}}", **beside).local == local
        found = moment_of(f"{local:{spelling}}", **beside)
        assert found.local == found.at == local.replace(tzinfo=UTC)
        assert (found.precision is Precision.DAY) is (local.time() == time())
    offset = timedelta(minutes=minutes)
    sign, ahead = ("-", -offset) if minutes < 0 else ("+", offset)
    hours, rest = divmod(ahead // timedelta(minutes=1), 60)
    for spelling in (f"{sign}{hours:02}:{rest:02}", f"{sign}{hours:02}{rest:02}"):
        found = moment_of(f"{local.isoformat()}{spelling}")
        assert found.at == local.replace(tzinfo=UTC) - offset


@given(LOCALS, st.integers(-12 * 4, 14 * 4))
def test_utc_field_beside_a_local_time_gives_its_instant_and_offset(at, quarters):
    local = at + timedelta(minutes=15 * quarters)
    found = moment_of(
        f"{local:%Y%m%d}", clock=f"{local:%H%M%S}", utc=f"{at:%Y%m%d}", utc_clock=f"{at:%H:%M:%S}"
    )

    assert found.at == at.replace(tzinfo=UTC)
    assert found.local is None
    assert (found.timezone == "UTC") is (quarters == 0)


# A name that is also an abbreviation is an offset.
ALL_ZONES = sorted(
    name
    for name in available_timezones() - {"localtime", "Factory"}
    if moment_of("2026-07-20T10:00:00", name).timezone == name
)


def test_names_that_are_abbreviations_are_few():
    left_out = available_timezones() - {"localtime", "Factory", *ALL_ZONES}

    assert left_out == {"CET", "EET", "EST", "GMT", "GMT+0", "GMT-0", "MST", "WET"}


@cache
def changes(name, year):
    """The instants of a year at which the offset of a zone changes."""
    zone, found = ZoneInfo(name), []
    first = datetime(year, 1, 1, tzinfo=UTC)
    for day in range(366):
        low, high = first + timedelta(days=day), first + timedelta(days=day + 1)
        if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
            continue
        while high - low > timedelta(minutes=1):
            middle = low + (high - low) // 2
            same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
            low, high = (middle, high) if same else (low, middle)
        found.append(high)
    return found


@given(st.data())
def test_local_time_of_any_zone_and_year_has_its_instant_among_its_readings(data):
    name = data.draw(st.sampled_from(ALL_ZONES))
    year = data.draw(st.integers(1971, 2037))
    at = data.draw(st.sampled_from([*changes(name, year), datetime(year, 7, 1, tzinfo=UTC)]))
    at += timedelta(minutes=data.draw(st.integers(-180, 180)))
    local = at.replace(second=0, microsecond=0).astimezone(ZoneInfo(name)).replace(microsecond=0)
    found = moment_of(f"{local:%Y-%m-%dT%H:%M:%S}", name, Precision.SECOND)

    assert found.tz_known
    assert local.astimezone(UTC) in (found.at, found.second)
    assert found.second is None or found.at < found.second
    is_repeated = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    assert (found.second is not None) is is_repeated


@given(st.data())
def test_repeated_hours_are_those_in_which_clocks_go_back(data):
    year = data.draw(st.integers(2000, 2037))
    name = data.draw(st.sampled_from(["Europe/Berlin", NEW_YORK, "Australia/Lord_Howe"]))
    for change in changes(name, year):
        before, after = (
            (change + timedelta(minutes=step)).astimezone(ZoneInfo(name)) for step in (-2, 2)
        )
        is_back = after.utcoffset() < before.utcoffset()
        for local in (before, after):
            found = moment_of(f"{local:%Y-%m-%dT%H:%M:%S}", name)
            assert (found.second is not None) is is_back
