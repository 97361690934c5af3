"""A kept record as a person or a script reads it: coordinates, key, headers, value."""

import base64
from collections.abc import Sequence
from typing import Any

import orjson
from rich.syntax import Syntax
from rich.text import Text

from orderflow.console.terminal import out

VALUE_SHOWN_MAX_BYTES = 64 * 1024


def text_of(data: bytes | None) -> str:
    """Bytes as text, what is not UTF-8 escaped; nothing as a dash."""
    return "-" if data is None else data.decode("utf-8", "backslashreplace")


def value_as_json(value: bytes | None) -> dict[str, str] | None:
    """The value as the contract shows originals: as text if it is UTF-8, else base64."""
    if value is None:
        return None
    try:
        return {"encoding": "utf-8", "value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"encoding": "base64", "value": base64.b64encode(value).decode()}


def headers_as_json(headers: Sequence[tuple[str, bytes]]) -> list[list[str]]:
    """Names and values, what is not UTF-8 escaped."""
    return [[name, text_of(value)] for name, value in headers]


def show_record(
    headers: Sequence[tuple[str, bytes]], value: bytes | None, index: int | None = None
) -> None:
    """Print headers, then the value; of a bulk command the item with this index alone."""
    out.print("headers", style="bold")
    for name, data in headers:
        out.print(f"  {name}: {text_of(data)}", markup=False)
    size = len(value or b"")
    out.print(Text.assemble(("value", "bold"), f"  {size:,} bytes"))
    out.print(_readable(value, index))


def _readable(value: bytes | None, index: int | None) -> Syntax | Text:
    """JSON on several lines; anything else as it is."""
    if value is None:
        return Text("  none", "dim")
    try:
        body: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Text(_cut(text_of(value)))
    if index is not None and isinstance(body, dict) and isinstance(body.get("items"), list):
        left = [item if place == index else None for place, item in enumerate(body["items"])]
        body |= {"items": left[: index + 1]}
    pretty = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    return Syntax(_cut(pretty), "json", background_color="default", word_wrap=True)


def _cut(text: str) -> str:
    if len(text) <= VALUE_SHOWN_MAX_BYTES:
        return text
    return text[:VALUE_SHOWN_MAX_BYTES] + "\n… cut; --value prints all of it"
