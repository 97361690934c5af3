"""Decodes JSON strictly, with reason and place of an error; encodes JSON compactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from unicodedata import is_normalized

import jiter
import orjson
from pydantic import BaseModel, ValidationError

from services.runtime.messages.error_text import text_of
from services.runtime.messages.normal_form import has_high_escape, in_normal_form

BOM = b"\xef\xbb\xbf"
FIELD_ERRORS_MAX = 50
# Errors repeat names and values of the sender: limits keep the rejection publishable.
POINTER_MAX_CHARACTERS = 512
MESSAGE_MAX_CHARACTERS = 1024

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error of one field; `pointer` is a JSON pointer (RFC 6901), "" for the whole body."""

    pointer: str
    message: str


class Malformed(Exception):
    """The message is not valid JSON or does not match the contract; its sender gets the reason."""

    def __init__(self, reason: str, errors: Sequence[FieldError]) -> None:
        super().__init__(reason, *errors)
        self.reason = reason
        self.errors = tuple(_bounded(error) for error in errors)

    def under(self, pointer: str) -> Malformed:
        """The error of a message in which what is malformed stands at `pointer`."""
        errors = [FieldError(pointer + each.pointer, each.message) for each in self.errors]
        return Malformed(self.reason, errors)

    @property
    def detail(self) -> str:
        """The first error as one sentence."""
        first = self.errors[0]
        return f"{first.pointer or '/'}: {first.message}"


def decode_json(value: bytes | None, *, is_normalizing: bool = False) -> Any:
    """Decode one JSON document strictly; numbers with a point become Decimal.

    A byte order mark before it is left out (RFC 8259, 8.1). Where `is_normalizing`, texts are
    brought into Unicode normal form C.

    Raises:
        Malformed: empty or null body, invalid UTF-8, NaN or Infinity, lone surrogates, duplicate
            keys, nesting that is too deep, or U+0000, which Postgres cannot store. With the pointer
            of the field if one can be found.
    """
    if not value:
        errors = [FieldError("", "the message has no body; send a JSON object")]
        raise Malformed("body_empty", errors)
    try:
        body = jiter.from_json(
            value, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="decimal"
        )
    except ValueError as error:
        body = _after_bom(value, error)
    if body is None:
        raise Malformed("body_null", [FieldError("", "the body is null; send a JSON object")])
    if b"\\u0000" in value:
        for flaw in _flaws_of(body, ""):
            raise Malformed(flaw.reason, [FieldError(flaw.pointer, flaw.message)])
    if is_normalizing:
        if b"\\" in value and has_high_escape(value):
            return in_normal_form(body)
        if not value.isascii():
            # Texts of Latin-1 are in the form; that takes a tenth of the time of `is_normalized`.
            text = value.decode()
            try:
                text.encode("latin-1")
            except UnicodeEncodeError:
                return body if is_normalized("NFC", text) else in_normal_form(body)
    return body


def _after_bom(value: bytes, error: ValueError) -> Any:
    """Decode what stands after a byte order mark, where `value` could not be decoded.

    Raises:
        Malformed: there is no mark, or what follows cannot be decoded either.
    """
    rest = value.removeprefix(BOM)
    if rest == value or rest.startswith(BOM):
        raise _unreadable(value, str(error)) from error
    return decode_json(rest)


def encode_json(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Encode as JSON in a bytes object that takes no more memory than its length.

    orjson returns its buffer, four to sixteen times as large, and a batch holds thousands of them.
    Copying costs a third of a microsecond.

    Raises:
        TypeError: neither JSON nor `default` has the type, or a number has more than 64 bits.
    """
    return b"".join((orjson.dumps(value, default=default), b""))


def validate(model: type[ModelT], body: Any, pointer: str = "") -> ModelT:
    """Validate a decoded body by a contract model; `pointer` is its place in the message.

    Raises:
        Malformed: `invalid_fields`, with a FieldError for each wrong field.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        errors = field_errors(error, pointer)[:FIELD_ERRORS_MAX]
        raise Malformed("invalid_fields", errors) from error


def field_errors(error: ValidationError, pointer: str = "") -> list[FieldError]:
    """List each wrong field of a body whose place in the message is `pointer`."""
    return [
        FieldError(pointer + "".join(pointer_step(str(step)) for step in e["loc"]), text_of(e))
        for e in error.errors(include_url=False)
    ]


@dataclass(frozen=True, slots=True)
class _Flaw:
    """The reason why strict decoding failed, found by a second, lenient decoding."""

    pointer: str
    reason: str
    message: str

    def under(self, step: str) -> _Flaw:
        return _Flaw(step + self.pointer, self.reason, self.message)


def _unreadable(value: bytes, message: str) -> Malformed:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of the body is not UTF-8"
        return Malformed("not_utf8", [FieldError("", where)])
    flaw = _diagnose(text)
    if flaw:
        return Malformed(flaw.reason, [FieldError(flaw.pointer, flaw.message)])
    return Malformed("not_json", [FieldError("", f"is not one JSON document: {message}")])


def _diagnose(text: str) -> _Flaw | None:
    """Find the field that made strict decoding fail; slow, used only on failure."""
    try:
        document = json.loads(text, object_pairs_hook=_flaw_or_object, parse_constant=_constant)
        return next(_flaws_of(document, ""), None)
    except (ValueError, RecursionError):
        return None


def _constant(word: str) -> _Flaw:
    return _Flaw("", "number_not_finite", f"{word} is not a JSON number")


def _flaw_or_object(pairs: list[tuple[str, Any]]) -> Any:
    """Make an object, or return its flaw: a dict of the pairs would hide duplicate keys."""
    seen: set[str] = set()
    for key, member in pairs:
        if key in seen:
            return _Flaw(pointer_step(key), "duplicate_key", "the key stands twice in its object")
        seen.add(key)
        if isinstance(member, _Flaw):
            return member.under(pointer_step(key))
    return dict(pairs)


def _flaws_of(value: Any, pointer: str) -> Iterator[_Flaw]:
    if isinstance(value, _Flaw):
        yield value.under(pointer)
    elif isinstance(value, str):
        yield from _flaws_of_text(value, pointer)
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _flaws_of_text(key, pointer)
            yield from _flaws_of(member, pointer + pointer_step(key))
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _flaws_of(member, f"{pointer}/{position}")


def _flaws_of_text(text: str, pointer: str) -> Iterator[_Flaw]:
    if "\x00" in text:
        yield _Flaw(pointer, "nul_character", "U+0000 is not allowed: it cannot be stored")
    elif not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        yield _Flaw(pointer, "lone_surrogate", "half of a surrogate pair is not a character")


def _bounded(error: FieldError) -> FieldError:
    return FieldError(
        error.pointer[:POINTER_MAX_CHARACTERS], error.message[:MESSAGE_MAX_CHARACTERS]
    )


def pointer_step(key: str) -> str:
    """Write a member's name as one step of a JSON pointer."""
    printable = key.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
    return "/" + printable.replace("~", "~0").replace("/", "~1")
