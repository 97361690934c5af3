"""Countries as shops write them, and the codes of currencies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas import codes
from schemas.codes import COUNTRIES, CURRENCIES, country_of
from services.analytics.domain.countries import MAIN_ZONES

NAMES = json.loads((Path(codes.__file__).with_name("country_names.json")).read_text("utf-8"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        (" de ", "DE"),
        ("UK", "GB"),
        ("uk", "GB"),
        ("U.K.", "GB"),
        ("EL", "GR"),
        ("DEU", "DE"),
        ("deu", "DE"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("DE-BY", "DE"),
        ("us-ca", "US"),
        ("Germany", "DE"),
        ("germany", "DE"),
        ("GERMANY", "DE"),
        ("Deutschland", "DE"),
        ("Bundesrepublik Deutschland", "DE"),
        ("Allemagne", "DE"),
        ("Österreich", "AT"),
        ("Oesterreich", "AT"),
        ("Osterreich", "AT"),
        ("United States", "US"),
        ("United States of America", "US"),
        ("Great Britain", "GB"),
        ("England", "GB"),
        ("Vereinigtes Königreich", "GB"),
        ("Holland", "NL"),
        ("The Netherlands", "NL"),
        ("Côte d’Ivoire", "CI"),
        ("Cote d'Ivoire", "CI"),
        ("Czech Republic", "CZ"),
        ("Czechia", "CZ"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("South Korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("Hong Kong", "HK"),
        ("日本", "JP"),
        ("Россия", "RU"),
        ("Kosovo", "XK"),
        ("U.S.", "US"),
        ("P.R. China", "CN"),
        ("Holy See", "VA"),
        ("Canary Islands", "ES"),
    ],
)
def test_country_is_found_as_shops_write_it(text: str, code: str) -> None:
    assert country_of(text) == code


@pytest.mark.parametrize("text", ["", " ", "Narnia", "XX", "ZZZ", "D", "EU", "49", "Ger man y!!1x"])
def test_country_that_is_none_is_not_guessed(text: str) -> None:
    assert country_of(text) is None


def test_country_names_are_there_for_every_code_and_mean_one_country_each() -> None:
    listed = [name for joined in NAMES.values() for name in joined.split()]

    assert set(NAMES) == COUNTRIES
    assert len(listed) == len(set(listed))
    assert len(listed) > 5_000
    assert {country_of(name) for name in listed} == COUNTRIES


def test_country_codes_are_those_with_a_time_zone_in_reports() -> None:
    assert set(MAIN_ZONES) <= COUNTRIES


def test_currencies_are_codes_of_three_letters() -> None:
    assert {"EUR", "USD", "GBP", "JPY", "BGN", "CLF"} <= CURRENCIES
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)
