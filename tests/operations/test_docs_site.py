"""The site of the pages: whole, offline, and with the same lists and tables as on a forge."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from schemas.topics import CATALOGUE
from tests.operations.browser import visit

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
STRUCTURE = {"h1", "h2", "h3", "h4", "ul", "ol", "li", "tr", "td", "blockquote", "img", "strong"}
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_LOADED = {"canonical", "next", "prev"}
"""Relations of a link that name another page; a browser loads nothing for them."""
BUILD_SECONDS = 300
BROWSED = ("index.html", "architecture/index.html", "contract/asyncapi-drawn.html",
           "contract/openapi-drawn.html", "contract/publishers.html")  # fmt: skip


@dataclass
class Elements(HTMLParser):
    """What stands on a page: links, what it loads, its anchors, how many elements of each kind."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    is_in_article: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.is_in_article |= tag == "article"
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        loaded = values.get(LOADING.get(tag, ""))
        if loaded and not NOT_LOADED & set(values.get("rel", "").split()):
            self.loaded.append(loaded)
        if self.is_in_article and tag in STRUCTURE:
            self.counts[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        self.is_in_article &= tag != "article"


def elements_of(html: str) -> Elements:
    found = Elements()
    found.feed(html)
    return found


def build(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Build the site into a folder, with the programs that `path` has."""
    return subprocess.run(
        [sys.executable, "-m", "tools.docs_site", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The whole site, with what npm has for it."""
    folder = tmp_path_factory.mktemp("site")
    done = build(folder, os.environ["PATH"])
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def plain_site(tmp_path_factory) -> tuple[Path, str]:
    """The site as Python alone makes it, and what the build says."""
    folder = tmp_path_factory.mktemp("plain-site")
    done = build(folder, str(Path(sys.executable).parent))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Elements]:
    return {path: elements_of(path.read_text("utf-8")) for path in site.rglob("*.html")}


def place_of(page: str) -> str:
    """Where a page of docs/ is on the site."""
    return re.sub(r"(^|/)README\.md$", r"\1index.md", page).removesuffix(".md") + ".html"


def unresolved(pages: dict[Path, Elements]) -> Iterator[str]:
    """Links within the site that lead nowhere, with the page that has them."""
    for path, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            lacks_anchor = (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            )
            if lacks_anchor or not target.is_file():
                yield f"{path.name}: {link}"


@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize("page", PAGES)
def test_site_shows_a_page_with_the_structure_it_has_on_a_forge(site, pages, page) -> None:
    forge = elements_of(
        f"<article>{MarkdownIt('commonmark').enable('table').render((DOCS / page).read_text())}"
    )

    assert pages[site / place_of(page)].counts == forge.counts


@pytest.mark.timeout(BUILD_SECONDS)
def test_site_links_lead_to_pages_files_and_anchors_that_are_there(pages) -> None:
    drawn = {path: found for path, found in pages.items() if not path.stem.endswith("-drawn")}

    assert list(unresolved(drawn)) == []


@pytest.mark.timeout(BUILD_SECONDS)
def test_site_names_nothing_to_load_that_is_on_a_network(site, pages) -> None:
    styles = "\n".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    in_styles = re.findall(r"(?:url\(|@import )[\"']?(https?:|//)[^)\"']*", styles)

    assert [at for found in pages.values() for at in found.loaded if urlsplit(at).netloc] == []
    assert in_styles == []


@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize("page", BROWSED)
def test_site_asks_for_nothing_on_a_network_when_a_page_is_read(site, page, tmp_path) -> None:
    assert visit((site / page).as_uri(), tmp_path).requested == frozenset()


@pytest.mark.timeout(BUILD_SECONDS)
def test_browser_of_these_tests_sees_what_a_page_asks_for(tmp_path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="https://example.org/a.png">')

    assert visit(page.as_uri(), tmp_path).requested == {"https://example.org/a.png"}


@pytest.mark.timeout(BUILD_SECONDS)
def test_site_search_finds_a_word_on_a_disk_without_a_server(site, tmp_path) -> None:
    found = visit((site / "index.html").as_uri() + "?q=bisection", tmp_path).html

    assert re.search(r"\d+ matching documents", found)
    assert "architecture/bisect-and-park.html" in found


@pytest.mark.timeout(BUILD_SECONDS)
def test_site_search_index_has_every_page(site) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    places = {entry["location"].partition("#")[0] for entry in index["docs"]}

    assert {place_of(page) for page in PAGES} <= places


@pytest.mark.timeout(BUILD_SECONDS)
def test_asyncapi_page_shows_every_topic(site, tmp_path) -> None:
    shown = visit((site / "contract/asyncapi-drawn.html").as_uri(), tmp_path).html

    assert [topic.name for topic in CATALOGUE if f">{topic.name}<" not in shown] == []


@pytest.mark.timeout(BUILD_SECONDS)
def test_openapi_page_shows_every_path(site, tmp_path) -> None:
    document = json.loads((ROOT / "schemas/generated/openapi.json").read_text("utf-8"))

    shown = visit((site / "contract/openapi-drawn.html").as_uri(), tmp_path).html

    assert [path for path in document["paths"] if path not in shown] == []


@pytest.mark.timeout(BUILD_SECONDS)
def test_diagram_is_drawn(site, tmp_path) -> None:
    shown = visit((site / "architecture/index.html").as_uri(), tmp_path).html

    assert "flowchart LR" not in shown
    assert '<div class="mermaid">' in shown


@pytest.mark.timeout(BUILD_SECONDS)
def test_site_of_python_alone_says_what_it_lacks(plain_site) -> None:
    folder, said = plain_site

    assert "npm is not on PATH" in said
    assert not list(folder.rglob("*-drawn.html"))
    assert "npm was not on PATH" in (folder / "contract/asyncapi.html").read_text("utf-8")
    assert "flowchart LR" in (folder / "architecture/index.html").read_text("utf-8")


@pytest.mark.timeout(BUILD_SECONDS)
def test_site_of_python_alone_asks_for_nothing_on_a_network(plain_site, tmp_path) -> None:
    folder, _ = plain_site

    page = visit((folder / "architecture/index.html").as_uri() + "?q=bisection", tmp_path)

    assert page.requested == frozenset()
    assert "matching documents" in page.html


@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize(
    ("page", "text", "said"),
    [
        ("glossary.md", "[a](gone.md)", "gone.md"),
        ("glossary.md", "[a](scale.md#gone)", "#gone"),
        ("new/page.md", "# Page", "not included"),
    ],
    ids=["link", "anchor", "navigation"],
)
def test_site_is_not_built_with_what_is_not_there(page, text, said, tmp_path) -> None:
    """Builds from a copy of the repository, so that none of it changes."""
    copied = tmp_path / "copy"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in files.stdout.decode("utf-8").split("\0"):
        if (ROOT / name).is_file():
            (copied / name).parent.mkdir(parents=True, exist_ok=True)
            (copied / name).write_bytes((ROOT / name).read_bytes())
    changed = copied / "docs" / page
    changed.parent.mkdir(exist_ok=True)
    with changed.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")

    done = subprocess.run(
        [sys.executable, "-m", "tools.docs_site"],
        cwd=copied,
        env={**os.environ, "PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )

    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert said in output
    assert output.count("WARNING") == 1, output
