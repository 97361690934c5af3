"""CloudEvents 1.0 over HTTP: binary mode, structured mode, and batches, as attributes and data.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md. The
data stay the bytes that were sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import msgspec

from schemas.http import BATCH, EVENTS_MAX, STRUCTURED
from schemas.http import JSON as BINARY
from services.gateway.refusal import Refused, invalid
from services.runtime.messages.json_codec import BOM, decode_json
from services.runtime.messages.records import HEADER_MAX_CHARACTERS, FieldError, Malformed

_PREFIX = "ce-"
_NAME = re.compile(r"[a-z0-9]{1,20}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_SPEC_VERSION = re.compile(r"1\.[0-9]{1,3}")
_decode_one = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_many = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its attributes as texts, and its data as sent.

    `at` is the pointer to the event in the body, `data_at` that to its data, and `attributes_at`
    what stands before the name of an attribute.
    """

    attributes: Mapping[str, str]
    data: bytes
    data_at: str = ""
    attributes_at: str = "/headers/ce-"


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header.

    Raises:
        Refused: 415, it is none of those of commands, or the charset is another than UTF-8.
    """
    media, _, parameters = content_type.partition(";")
    found = media.strip().lower()
    if found not in (BINARY, STRUCTURED, BATCH) or not _is_utf8(parameters):
        raise Refused(
            415,
            "unsupported_media_type",
            f"send {BINARY} with the attributes in ce- headers, {STRUCTURED} or {BATCH}, in UTF-8",
        )
    return found


def _is_utf8(parameters: str) -> bool:
    said = [part.strip().lower() for part in parameters.split(";")]
    charsets = [each[8:].strip('"') for each in said if each.startswith("charset=")]
    return all(each in ("utf-8", "utf8", "us-ascii") for each in charsets)


def read_events(
    media: str, headers: Sequence[tuple[str, str]], body: bytes
) -> tuple[Sequence[Event], Sequence[FieldError]]:
    """The events of a request, and what is wrong with those that are none.

    Raises:
        Refused: 422, the body is no JSON of this form.
    """
    if media == BINARY:
        return _binary(headers, body)
    body = _strict(body)
    if media == STRUCTURED:
        return _structured(_decoded(_decode_one, body), "")
    events: list[Event] = []
    errors: list[FieldError] = []
    found = _decoded(_decode_many, body)
    if not 1 <= len(found) <= EVENTS_MAX:
        raise invalid([FieldError("", f"a batch has 1 to {EVENTS_MAX} events, not {len(found)}")])
    for index, raw in enumerate(found):
        at = f"/{index}"
        try:
            one, flaws = _structured(_decoded(_decode_one, bytes(raw)), at)
        except Refused as refused:
            errors += [FieldError(at + each.pointer, each.message) for each in refused.errors]
            continue
        events += one
        errors += flaws
    return events, errors


def _strict(body: bytes) -> bytes:
    """A body without its byte order mark, after a strict reading: msgspec takes repeated members.

    Raises:
        Refused: 422, it is no strict JSON.
    """
    try:
        decode_json(body)
    except Malformed as malformed:
        if malformed.reason != "nul_character":  # That is found in each event.
            raise invalid(malformed.errors) from None
    return body.removeprefix(BOM)


def _decoded(decode, body: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid([FieldError("", f"no JSON of this form: {error}")]) from None


def _binary(
    headers: Sequence[tuple[str, str]], body: bytes
) -> tuple[Sequence[Event], Sequence[FieldError]]:
    found: dict[str, str] = {}
    errors: list[FieldError] = []
    for header, value in headers:
        name = header.removeprefix(_PREFIX)
        if name == header:
            continue
        if name in found:
            errors.append(FieldError(f"/headers/{header}", "the header is there twice"))
            continue
        try:
            found[name] = _text_of(value)
        except UnicodeError:
            errors.append(FieldError(f"/headers/{header}", "is not percent-encoded UTF-8"))
    event = Event(found, body)
    errors += _flaws(event, known={each.pointer for each in errors})
    return ((), errors) if errors else ((event,), ())


def _text_of(value: str) -> str:
    """The value of a header: quoted strings without quotes, then percent-decoded (3.1.3.2).

    Raises:
        UnicodeError: it is not UTF-8. Starlette decodes headers as Latin-1.
    """
    unquoted = _QUOTED.sub(lambda found: _ESCAPED.sub(r"\1", found[1]), value)
    return unquote_to_bytes(unquoted.encode("latin-1")).decode()


def _structured(
    members: Mapping[str, msgspec.Raw], at: str
) -> tuple[Sequence[Event], Sequence[FieldError]]:
    if "data_base64" in members:
        return (), [FieldError(f"{at}/data_base64", "send the command as JSON, in data")]
    if "data" not in members:
        return (), [FieldError(f"{at}/data", "missing; the command itself, an object")]
    found: dict[str, str] = {}
    errors: list[FieldError] = []
    for name, raw in members.items():
        if name == "data":
            continue
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            errors.append(FieldError(f"{at}/{name}", "is no JSON"))
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        if value is not None and not isinstance(value, str | int):
            errors.append(FieldError(f"{at}/{name}", "an attribute is a text or a whole number"))
        elif value is not None:
            found[name] = str(value)
    event = Event(found, bytes(members["data"]), f"{at}/data", f"{at}/")
    errors += _flaws(event, known={each.pointer for each in errors})
    return ((), errors) if errors else ((event,), ())


def _flaws(event: Event, known: Collection[str] = ()) -> list[FieldError]:
    """What is wrong with the attributes of an event, beside what is `known` to be wrong."""
    flaws = [
        FieldError(event.attributes_at + name, message)
        for name, text in event.attributes.items()
        if (message := _flaw(name, text))
    ]
    missing = [name for name in _MISSING if not event.attributes.get(name)]
    flaws += [FieldError(event.attributes_at + name, _MISSING[name]) for name in missing]
    return [each for each in flaws if each.pointer not in known]


_MISSING = {
    "id": "missing; choose one for each command, and send the same when you send it again",
    "type": "missing; such as order.upsert",
}


def _flaw(name: str, text: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "a name of an attribute has 1 to 20 of a-z and 0-9"
    if len(text) > HEADER_MAX_CHARACTERS or _CONTROL.search(text):
        return f"at most {HEADER_MAX_CHARACTERS} characters, none of them a control character"
    if name == "specversion" and not _SPEC_VERSION.fullmatch(text):
        return "this is CloudEvents 1.0"
    if name == "datacontenttype" and not text.lower().startswith(BINARY):
        return f"data are {BINARY}"
    return None
