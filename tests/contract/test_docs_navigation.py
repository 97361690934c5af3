"""The navigation of the site names every page once, and no page that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.docs_site.links import PAGES_OF_ROOT
from tools.docs_site.navigation import expanded, paths_of
from tools.docs_site.references import REFERENCES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
MADE = {str(place) for place in PAGES_OF_ROOT.values()} | {
    f"contract/{reference.name}.md" for reference in REFERENCES
}


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without importing what its tags name."""


_Loader.add_multi_constructor("!!python/", lambda *_: None)
_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


@pytest.fixture(scope="module")
def navigation() -> list[str]:
    settings: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), _Loader)
    return list(paths_of(expanded(settings["nav"], DOCS)))


@pytest.mark.parametrize("page", [*PAGES, *sorted(MADE)])
def test_navigation_names_each_page_once(navigation, page) -> None:
    assert navigation.count(page) == 1, f"{page}: give it a place under nav in mkdocs.yml"


def test_navigation_names_no_page_that_is_not_there(navigation) -> None:
    assert set(navigation) - set(PAGES) == MADE


def test_navigation_shows_a_page_of_a_pattern_by_its_heading(tmp_path) -> None:
    (tmp_path / "notes").mkdir()
    for name, heading in (("README", "Notes"), ("b", "Second"), ("a", "First")):
        (tmp_path / "notes" / f"{name}.md").write_text(f"# {heading}\n\nText.\n")

    found = expanded([{"Notes": ["notes/README.md", "notes/*.md"]}], tmp_path)

    assert found == [
        {"Notes": ["notes/README.md", {"First": "notes/a.md"}, {"Second": "notes/b.md"}]}
    ]
