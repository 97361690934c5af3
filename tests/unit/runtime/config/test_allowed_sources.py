"""Allowed sources: the lists, what they allow, and what is wrong with a list."""

from pathlib import Path

import pytest

from services.runtime.config.allowed_sources import ANY_SOURCE, AllowedSources
from services.runtime.config.settings import Settings, SettingsError
from services.runtime.config.source_lists import allowed_sources_of

LISTS = """{
    "demo-shop": ["/shops/demo-shop", "https://erp.example/*/orders", "urn:x:[a]?"],
    "closed-shop": [],
    "open-shop": ["*"],
    "*": ["/agency"]
}"""
WITHOUT_DEFAULT = '{"demo-shop": ["/shops/demo-shop"]}'


@pytest.mark.parametrize(
    ("shop", "source", "is_allowed"),
    [
        ("demo-shop", "/shops/demo-shop", True),
        ("demo-shop", "/shops/demo-shop/", False),
        ("demo-shop", "/shops/demo-sho", False),
        ("demo-shop", "x/shops/demo-shop", False),
        ("demo-shop", "/SHOPS/demo-shop", False),
        ("demo-shop", "/agency", False),  # A shop with a list does not go by that of `*`.
        ("demo-shop", "https://erp.example/eu/orders", True),
        ("demo-shop", "https://erp.example/eu/west/orders", True),
        ("demo-shop", "https://erp.example//orders", True),
        ("demo-shop", "https://erp.example/eu/orders/1", False),
        ("demo-shop", "https://erpXexample/eu/orders", False),  # A dot is a dot.
        ("demo-shop", "urn:x:[a]?", True),  # Only `*` has a meaning of its own.
        ("demo-shop", "urn:x:ab", False),
        ("demo-shop", None, False),
        ("demo-shop", "", False),
        ("closed-shop", "/shops/closed-shop", False),
        ("closed-shop", "/agency", False),
        ("open-shop", "/anybody", True),
        ("open-shop", "two\nlines", True),
        ("open-shop", None, False),  # A missing source is not any source.
        ("another", "/agency", True),
        ("another", "/shops/another", False),
        ("another", None, False),
    ],
)
def test_allowed_sources_are_those_that_a_list_names(
    shop: str, source: str | None, is_allowed: bool
) -> None:
    refusal = AllowedSources.parse(LISTS).refusal(shop, source)

    assert (refusal is None) == is_allowed
    if refusal:
        assert shop in refusal
        assert (source or "ce_source") in refusal


@pytest.mark.parametrize("source", ["/shops/another", None])
def test_shop_without_a_list_is_open_unless_there_is_a_star(source: str | None) -> None:
    assert AllowedSources.parse(WITHOUT_DEFAULT).refusal("another", source) is None
    assert ANY_SOURCE.refusal("another", source) is None
    assert not ANY_SOURCE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("{'demo-shop': []}", "is no JSON"),
        ("[]", "must be a JSON object of lists"),
        ('{"demo-shop": "/shops/demo-shop"}', "must be a JSON object of lists"),
        ('{"demo-shop": [1]}', "must be a JSON object of lists"),
        ('{"demo-shop": [""]}', "must be a JSON object of lists"),
        ('{"demo-shop": [], "demo-shop": ["*"]}', "names a shop twice"),
    ],
)
def test_wrong_list_stops_the_start_and_shows_the_form(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sources.json"
    file.write_text(text)

    with pytest.raises(SettingsError, match=said) as of_file:
        allowed_sources_of(Settings(allowed_sources_file=file))

    assert "ORDERFLOW_ALLOWED_SOURCES_FILE" in str(of_file.value)
    if text:  # An empty variable is as good as none.
        monkeypatch.setenv("ORDERFLOW_ALLOWED_SOURCES", text)
        with pytest.raises(SettingsError, match=f"ORDERFLOW_ALLOWED_SOURCES: .*{said}"):
            Settings.from_environment()


def test_lists_come_from_a_variable_or_from_a_file_and_not_from_both(tmp_path: Path) -> None:
    file = tmp_path / "sources.json"
    file.write_text(WITHOUT_DEFAULT)

    said = allowed_sources_of(Settings(allowed_sources=WITHOUT_DEFAULT))
    read = allowed_sources_of(Settings(allowed_sources_file=file))

    assert said == read == AllowedSources.parse(WITHOUT_DEFAULT)
    with pytest.raises(SettingsError, match="both set"):
        allowed_sources_of(Settings(allowed_sources=WITHOUT_DEFAULT, allowed_sources_file=file))
    with pytest.raises(SettingsError, match=r"cannot read .*gone\.json: No such file"):
        allowed_sources_of(Settings(allowed_sources_file=tmp_path / "gone.json"))
