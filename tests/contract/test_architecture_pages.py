"""Architecture pages name files that exist; their lists and layers are those of the repository."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "architecture").glob("*.md"))
FOLDERS = "services|orderflow|schemas|tests|bench|chaos|demo|deploy|tools|docs"
PACKAGES = "services|schemas|tests|bench|chaos|demo|deploy|tools"  # `orderflow.…` are topics too.
NAME = re.compile(rf"(?:{FOLDERS})/[\w./-]*|(?:{PACKAGES})(?:\.\w+)+")


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def names_in(text: str) -> list[str]:
    """The paths (`services/runtime/retry.py`) and modules (`services.runtime.retry`) it quotes."""
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [name for name in quoted if NAME.fullmatch(name)]


def exists(name: str) -> bool:
    """Whether the repository has a file or folder of this path, or a module of this name."""
    if "/" in name:
        found = ROOT / name
        return found.is_dir() if name.endswith("/") else found.is_file()
    module = ROOT / name.replace(".", "/")
    return module.with_suffix(".py").is_file() or (module / "__init__.py").is_file()


def pictures(text: str) -> list[list[str]]:
    """The blocks of plain text, each as the first column of its lines."""
    blocks = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    return [[re.split(r" {2,}", line)[0] for line in block.splitlines()] for block in blocks]


def test_names_are_read_from_backticks_outside_of_code() -> None:
    text = "`services/a.py`, `orders.events`, `tests.b`\n```\n`services/c.py`\n```\n`-m chaos`"

    assert names_in(text) == ["services/a.py", "tests.b"]
    assert not exists("services/a.py")
    assert not exists("services/orders/app.py/")
    assert exists("services/orders/")
    assert exists("services.orders.app")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_in_architecture_pages_exist(page: Path) -> None:
    names = names_in(text_of(page))

    assert sorted({name for name in names if not exists(name)}) == []
    assert names


def test_architecture_overview_links_to_every_page() -> None:
    linked = re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\)", text_of(PAGES[0]), re.MULTILINE)

    assert PAGES[0].name == "README.md"
    assert sorted(linked) == [page.name for page in PAGES[1:]]


def test_layers_in_the_overview_are_the_import_contracts() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    contracts = [each for each in tools["importlinter"]["contracts"] if each["type"] == "layers"]
    drawn = pictures(text_of(PAGES[0]))

    assert {each["name"] for each in contracts if each["layers"] not in drawn} == set()
    assert contracts


def test_list_of_decisions_has_every_decision() -> None:
    folder = DOCS / "decisions"
    rows = []
    for page in sorted(folder.glob("[0-9]*.md")):
        title = re.match(r"# (\d{4}):? (.+)", text_of(page))
        assert title is not None, page.name
        assert page.name.startswith(title[1])
        rows.append(f"| [{title[1]}]({page.name}) | {title[2]} |")

    assert re.findall(r"^\| \[.*", text_of(folder / "README.md"), re.MULTILINE) == rows
