"""The check of words finds each listed word wherever code can have it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import words
from tools.words import KEPT, NAMES, PHRASES, PROMISES, RULES, WORDS


def found_in(folder: Path, text: str, name: str = "services/module.py") -> list[tuple[int, str]]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [(each.line, each.found) for each in words.findings(folder)]


@pytest.mark.parametrize("word", [*WORDS, *PHRASES])
def test_word_is_found_in_comment_docstring_and_string(word, tmp_path) -> None:
    text = f'"""What {word} means."""\nx = "a {word}"  # as {word}\n'

    assert [line for line, found in found_in(tmp_path, text) if found == word] == [1, 2, 2]


@pytest.mark.parametrize("word", [*WORDS, *NAMES])
def test_word_is_found_in_names_of_every_style(word, tmp_path) -> None:
    text = f"was_{word} = 1\nclass All{word.title()}: ...\n_{word.upper()}_MAX = 2\n{word} = 3\n"

    assert found_in(tmp_path, text) == [(line, word) for line in (1, 2, 3, 4)]


@pytest.mark.parametrize("word", NAMES)
def test_name_is_no_finding_in_a_sentence(word, tmp_path) -> None:
    assert found_in(tmp_path, f'"""What {word} means."""\n# As {word}.\n') == []


@pytest.mark.parametrize("name", KEPT)
def test_kept_name_is_no_finding(name, tmp_path) -> None:
    assert found_in(tmp_path, f"x = row[{name}]\n") == []


def test_kept_column_does_not_excuse_the_word_elsewhere(tmp_path) -> None:
    text = 'x = row["told"]\ny = told\nz = "was told"\nuntold_at = 1\n'

    assert found_in(tmp_path, text) == [(2, "told"), (3, "told"), (4, "untold")]


@pytest.mark.parametrize("name", KEPT)
def test_kept_name_is_still_in_use(name) -> None:
    """A name that is gone from the code needs no exception any more."""
    sources = (words.ROOT / "services").rglob("*.py")

    assert any(name in path.read_text("utf-8") for path in sources)


def test_longer_words_are_no_findings(tmp_path) -> None:
    assert (
        found_in(tmp_path, "slots = plane = intelligence = 'stellar, newsletter, unsettle'\n") == []
    )


def test_line_of_a_finding_in_a_long_docstring(tmp_path) -> None:
    text = '"""First.\n\nSecond: nobody\ncomes\nby.\n"""\n'

    assert found_in(tmp_path, text) == [(3, "nobody"), (4, "comes by")]


def test_text_of_f_string_is_read(tmp_path) -> None:
    assert found_in(tmp_path, 'x = f"{y} was told {z}"\n') == [(1, "told")]


def test_file_name_is_a_name(tmp_path) -> None:
    assert found_in(tmp_path, "x = 1\n", "services/orders/telling.py") == [(1, "telling")]


def test_sql_is_read_in_its_comments_only(tmp_path) -> None:
    text = "-- name: save_told\nSELECT told FROM stored_order; -- for whoever asks\n"

    assert found_in(tmp_path, text, "services/orders/orders.sql") == [(1, "told"), (2, "whoever")]


def test_migrations_are_not_read(tmp_path) -> None:
    assert found_in(tmp_path, "-- told\n", "services/orders/migrations/0003_told.sql") == []


def test_folders_outside_those_asked_for_are_not_read(tmp_path) -> None:
    assert found_in(tmp_path, "told = 1\n", "orderflow/module.py") == []


@pytest.mark.parametrize(
    "reference",
    ["design 7.1", "trap 7", "traps 3", "reference, 5", "domain.md", "design.md", "faststream.md"],
)
def test_reference_to_a_page_outside_the_repository(reference, tmp_path) -> None:
    assert found_in(tmp_path, f"# Why: {reference}\n") == [(1, reference)]


@pytest.mark.parametrize(
    ("number", "page"), [("rule 5b", RULES), ("rules 4", RULES), ("P8", PROMISES)]
)
def test_number_of_a_page_needs_the_page_named_in_the_file(number, page, tmp_path) -> None:
    assert found_in(tmp_path, f"# As {number} says.\n") == [(1, number)]
    assert found_in(tmp_path, f'"""Numbers: {page}."""\n# As {number} says.\n') == []


def test_command_prints_each_finding_and_ends_with_status_1(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(words, "ROOT", tmp_path)
    found_in(tmp_path, "x = 1\ntold = 2\n")

    assert words.main([]) == 1
    assert capsys.readouterr().out == (
        f"services/module.py:2: told: {WORDS['told']}\nwords: findings=1 files=1\n"
    )


def test_command_ends_with_status_0_on_clean_code(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(words, "ROOT", tmp_path)
    found_in(tmp_path, '"""Rows that were published."""\n')

    assert words.main([]) == 0
    assert capsys.readouterr().out == "words: findings=0 files=0\n"
