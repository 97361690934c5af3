"""Texts: what texts without a code mean, as services of DHL write them.

`texts.csv`: the service, the status code with which the text counts (empty: any), the text, and the
code that it stands for, as a row of this set or of that of DHL Paket has it. A text that ends in
`*` stands for all that begin so. Texts are compared without case.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from services.orders.messages.carriers.code_maps import read_table

_COLUMNS = ("service", "status_code", "text", "code", "source")
_ROWS = read_table(Path(__file__).with_name("texts.csv"), _COLUMNS)
_WHOLE: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType(
    {
        (service, said.casefold()): (group, code)
        for service, group, said, code, _ in _ROWS
        if not said.endswith("*")
    }
)
_STARTS: Mapping[str, list[tuple[str, str, str]]] = MappingProxyType(
    {
        service: [
            (said[:-1].casefold(), group, code)
            for of, group, said, code, _ in _ROWS
            if of == service and said.endswith("*")
        ]
        for service in {row[0] for row in _ROWS}
    }
)


def has_texts(service: str) -> bool:
    """Whether texts of a service are known."""
    return service in _STARTS


def code_of_text(service: str, group: str, said: str | None) -> str | None:
    """The code that a text of a service stands for; None where that is not known."""
    if said is None:
        return None
    text = said.casefold()
    whole = _WHOLE.get((service, text))
    if whole is not None and whole[0] in ("", group):
        return whole[1]
    starts = _STARTS.get(service, ())
    return next(
        (code for start, of, code in starts if of == group and text.startswith(start)), None
    )
