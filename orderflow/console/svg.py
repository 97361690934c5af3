"""A small writer of SVG: texts on lines, escaped and cut, in colours for light and dark."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import wrap
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from orderflow.console.plain_text import plain_text

WIDTH = 1180
LINE = 17
LETTER = 7.3
"""Width of a letter: all texts have one fixed-width font of 12 px."""
_STYLE = """
text{font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2328}
.page{fill:#ffffff}.dim{fill:#59636e}.bold{font-weight:bold}.title{font-weight:bold}
.moved{fill:#1a7f37}.off{fill:#9a6700}.bad{fill:#cf222e}.bell{fill:#0969da}.line{fill:#d1d9e0}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.dim{fill:#9198a1}
.moved{fill:#3fb950}.off{fill:#d29922}.bad{fill:#f85149}.bell{fill:#4493f8}.line{fill:#3d444d}}
"""
_BELL = "M0 9h10l-1.6-2V4.2a3.4 3.4 0 0 0-6.8 0V7zM3.6 10a1.4 1.4 0 0 0 2.8 0z"


@dataclass(slots=True)
class Drawing:
    """Lines of text from top to bottom; `y` is the base of the present line."""

    y: int = 28
    parts: list[str] = field(default_factory=list)

    def text(self, x: int, said: str, style: str = "", until: int = WIDTH - 16) -> None:
        """Write on the present line, cut at `until`."""
        shown = cut(said, int((until - x) / LETTER))
        self.parts.append(f'<text x="{x}" y="{self.y}" class="{style}">{escape(shown)}</text>')

    def paragraph(self, x: int, said: str, style: str = "", lines_max: int = 3) -> None:
        """Write on the next lines, at most so many."""
        room = int((WIDTH - 16 - x) / LETTER)
        for line in wrap(plain_text(said), room)[:lines_max]:
            self.down()
            self.text(x, line, style)

    def dot(self, x: int, style: str) -> None:
        """A mark on the present line."""
        self.parts.append(f'<circle cx="{x}" cy="{self.y - 4}" r="5" class="{style}"/>')

    def bar(self, x: int, height: int, style: str) -> None:
        """A vertical bar that ends under the present line."""
        top = self.y - height + 4
        self.parts.append(f'<rect x="{x}" y="{top}" width="3" height="{height}" class="{style}"/>')

    def rule(self) -> None:
        """A horizontal line under the present line."""
        self.parts.append(
            f'<rect x="16" y="{self.y + 8}" width="{WIDTH - 32}" height="1" class="line"/>'
        )

    def bell(self, x: int) -> None:
        """The mark of a notification."""
        self.parts.append(
            f'<path transform="translate({x} {self.y - 10})" d="{_BELL}" class="bell"/>'
        )

    def down(self, by: int = LINE) -> None:
        """Go down to the next line."""
        self.y += by

    def picture(self, title: str) -> str:
        """The whole SVG document; it names no font file, no link and no script."""
        height = self.y + 20
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img">\n<title>{escape(cut(title, 200))}</title>'
            f'\n<style>{_STYLE}</style>\n<rect width="{WIDTH}" height="{height}" class="page"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


def cut(said: str, room: int) -> str:
    """The begin of a text that fits so many columns; wide letters take two."""
    shown, columns = [], 0
    for letter in plain_text(said):
        columns += 2 if east_asian_width(letter) in "WF" else 1
        shown.append(letter)
        if columns > room:
            while shown and columns > room - 1:
                columns -= 2 if east_asian_width(shown.pop()) in "WF" else 1
            return "".join(shown) + "…"
    return "".join(shown)
