"""Plain text: what a terminal, or a reader of XML, would act on instead of showing it."""

from __future__ import annotations

from unicodedata import category


def plain_text(said: str) -> str:
    """A text with U+FFFD for each control and format character, except line feeds.

    Terminals act on control characters (escape sequences change the screen and its title),
    characters of direction reorder a line, XML has no control characters, and half of a surrogate
    pair cannot be written.
    """
    if said.isprintable():
        return said
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if category(c)[0] == "C" and c != "\n" else c for c in said
    )
