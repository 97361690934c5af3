"""What commands print: texts of shops and carriers are shown, and never act on the terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from orderflow.console.terminal import PlainConsole

HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202eabc\r\b"


def printed(renderable, **options):
    file = io.StringIO()
    PlainConsole(file=file, width=200, highlight=False, **options).print(renderable, markup=False)
    return file.getvalue()


def in_table(said):
    table = Table(escape(said))
    table.add_row(escape(said))
    return table


@pytest.mark.parametrize("render", [str, Text, in_table, lambda said: Tree(escape(said))])
@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "color_system": None}])
def test_print_shows_control_characters_instead_of_sending_them(render, options):
    shown = printed(render(HOSTILE), **options)

    assert "title" in shown
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r", "\b"} & set(shown)


def test_cell_with_control_characters_is_shown_whole():
    assert "\ufffd[2Jabc\ufffd" in printed(in_table("\x1b[2Jabc\x07"))


@given(st.text(st.characters(exclude_characters="\n"), max_size=200))
def test_print_of_any_text_can_be_written_and_has_no_control_characters(said):
    shown = printed(Text(said))

    shown.encode()
    assert all(each.isprintable() or each.isspace() for each in shown)


def test_print_keeps_lines_and_styles():
    shown = printed(Text("a\nb", "bold"), force_terminal=True, color_system="standard")

    assert shown == "\x1b[1ma\x1b[0m\n\x1b[1mb\x1b[0m\n"
