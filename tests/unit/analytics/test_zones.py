"""Time zones of addresses, and local days in them."""

import importlib.resources
from datetime import date, datetime
from zoneinfo import available_timezones

import pytest

from services.analytics.domain.countries import MAIN_ZONES
from services.analytics.domain.provinces import PROVINCE_NAMES, PROVINCE_ZONES
from services.analytics.domain.zones import Zone, ZoneSource, local_day, zone_of


@pytest.mark.parametrize(
    ("country", "code", "name", "zone", "source"),
    [
        ("DE", None, None, "Europe/Berlin", "country"),
        ("de", None, "Bayern", "Europe/Berlin", "country"),
        ("BR", "SP", None, "America/Sao_Paulo", "province"),
        ("BR", "BR-AM", None, "America/Manaus", "province"),
        ("BR", "ac", None, "America/Rio_Branco", "province"),
        ("BR", None, "São Paulo", "America/Sao_Paulo", "province"),
        ("BR", None, "  MATO  Grosso ", "America/Cuiaba", "province"),
        ("BR", "Pernambuco", None, "America/Recife", "province"),
        ("BR", None, None, "America/Sao_Paulo", "main_zone"),
        ("BR", "XX", "Nowhere", "America/Sao_Paulo", "main_zone"),
        ("US", "CA", None, "America/Los_Angeles", "province"),
        ("US", "AZ", None, "America/Phoenix", "province"),
        ("US", None, "new york", "America/New_York", "province"),
        ("US", None, None, "America/New_York", "main_zone"),
        ("CA", "NL", None, "America/St_Johns", "province"),
        ("AU", "WA", None, "Australia/Perth", "province"),
        ("MX", "BCN", None, "America/Tijuana", "province"),
        ("RU", "KGD", None, "Europe/Kaliningrad", "province"),
        ("RU", "PRI", None, "Asia/Vladivostok", "province"),
        ("ES", "TF", None, "Atlantic/Canary", "province"),
        ("PT", "20", None, "Atlantic/Azores", "province"),
        ("ZZ", None, None, "UTC", "none"),
        (None, "SP", None, "UTC", "none"),
    ],
)
def test_zone_of_an_address_is_that_of_its_province_or_country(country, code, name, zone, source):
    assert zone_of(country, code, name) == Zone(zone, ZoneSource(source))


def test_zones_in_the_tables_are_in_the_tz_database():
    named = {*MAIN_ZONES.values(), *(zone for zones in PROVINCE_ZONES.values() for zone in zones)}

    assert named <= available_timezones()


def test_countries_with_inhabitants_have_a_main_zone():
    table = importlib.resources.files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text("utf-8")
    countries = {line[:2] for line in table.splitlines() if not line.startswith("#")}

    assert countries - set(MAIN_ZONES) == {"BV", "HM"}


def test_provinces_are_in_one_zone_and_names_lead_to_one():
    for country, zones in PROVINCE_ZONES.items():
        codes = [code for listed in zones.values() for code in listed.split()]
        assert len(codes) == len(set(codes)), country
    for country, names in PROVINCE_NAMES.items():
        for entry in names.split("|"):
            name = entry.partition(" ")[2]
            assert zone_of(country, None, name).source is ZoneSource.PROVINCE, (country, name)


@pytest.mark.parametrize(
    ("instant", "country", "province", "day"),
    [
        # 23:30 in São Paulo is the next day in UTC.
        ("2018-03-02T02:30:00+00:00", "BR", "SP", "2018-03-01"),
        ("2018-03-02T03:00:00+00:00", "BR", "SP", "2018-03-02"),
        # Acre is two hours behind: there the day still lasts.
        ("2018-03-02T04:59:59+00:00", "BR", "AC", "2018-03-01"),
        # Summer time of 2017 in the south, none in Bahia.
        ("2017-12-02T02:30:00+00:00", "BR", "SP", "2017-12-02"),
        ("2017-12-02T02:30:00+00:00", "BR", "BA", "2017-12-01"),
        ("2026-03-01T23:30:00+00:00", "DE", None, "2026-03-02"),
        ("2026-07-01T22:00:00+00:00", "DE", None, "2026-07-02"),
        ("2026-03-01T12:00:00+00:00", "NZ", "AUK", "2026-03-02"),
    ],
)
def test_local_day_of_an_instant(instant, country, province, day):
    zone = zone_of(country, province, None)

    assert local_day(datetime.fromisoformat(instant), zone) == date.fromisoformat(day)
