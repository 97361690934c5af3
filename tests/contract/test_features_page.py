"""The page of features: what it says is there has a test, and what it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from schemas.topics import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "features.md").read_text("utf-8")
TYPES = {type_ for topic in CATALOGUE for type_ in topic.models}
TESTS_AT = {6: 4, 4: 2}
"""The column of the tests, by the number of columns."""
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    """The cells of every row, without heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells for cells in found if cells[1] != "here"]


ROWS = rows()
every_row = pytest.mark.parametrize("cells", ROWS, ids=[f"{n}" for n in range(len(ROWS))])


@cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the functions in a file of tests."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


@every_row
def test_feature_has_an_answer_and_a_test_for_what_is_there(cells: list[str]) -> None:
    answer, tests = cells[1], cells[TESTS_AT[len(cells)]]

    assert answer in {"yes", "part", "no"}
    assert bool(TEST.search(tests)) == (answer != "no")
    assert answer == "yes" or cells[-1], "what is missing is said"


@every_row
def test_feature_names_tests_and_message_types_that_exist(cells: list[str]) -> None:
    for path, name in TEST.findall(" ".join(cells)):
        assert name in functions_of(path), f"{path} has no {name}"
    if len(cells) == 6:
        named = re.findall(r"`([^`]+)`", cells[2] + cells[3])
        assert set(named) <= TYPES


def test_features_are_all_the_commands_of_shops() -> None:
    """A command that is added has a row, or it is not said what it is for."""
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", PAGE))
    commands = {type_ for topic in CATALOGUE[:1] for type_ in topic.models}

    assert commands - named == set()
