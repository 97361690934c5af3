"""Bodies: a record's bytes as a plain value, of JSON or of XML."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from services.runtime.messages.json_codec import BOM, FieldError, Malformed, decode_json

DEPTH_MAX = 64
"""Most elements of XML within one another."""
ELEMENTS_MAX = 200_000
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How bytes of UTF-16 begin."""
_BEGIN_BYTES = 256
_SAYS_UTF_16 = re.compile(
    rb"\s*<\?xml\b[^>]{0,100}?encoding\s*=\s*.utf-16[^>]{0,100}\?>", re.IGNORECASE
)
"""The declaration that writers of text in memory make, whatever the bytes are sent as."""
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def is_xml(value: bytes) -> bool:
    """Whether bytes are XML and not JSON, by how they begin."""
    if value[:2] in UTF_16:
        return value[2:_BEGIN_BYTES].replace(b"\0", b"").lstrip()[:1] == b"<"
    return value.removeprefix(BOM).lstrip()[:1] == b"<"


def in_utf_8(value: bytes) -> bytes:
    """Bytes of UTF-16 with a mark as UTF-8; others as they are."""
    is_utf_16 = value[:2] in UTF_16
    return value.decode("utf-16", "replace").encode("utf-8", "replace") if is_utf_16 else value


def decode_body(value: bytes | None) -> Any:
    """Decode JSON, or XML as `plain_of` writes it.

    U+0000, which Postgres cannot store, is left out of JSON. XML cannot have it.

    Raises:
        Malformed: it is neither; XML with a document type, entities or external references; or
            nested too deep.
    """
    if value and is_xml(value):
        return _decode_xml(value)
    if value and b"\\u0000" in value:
        value = _NUL.sub(rb"\1", value)
    return decode_json(value)


def _decode_xml(value: bytes) -> Any:
    if value[:2] not in UTF_16:  # XML allows nothing before its declaration; templates write it.
        value = value.removeprefix(BOM).lstrip()
    if (says := _SAYS_UTF_16.match(value)) is not None:
        value = value[says.end() :]
    try:
        root = fromstring(value, forbid_dtd=True)
    except DefusedXmlException as error:
        message = "has a document type, entities or external references, which are not taken"
        raise _not_xml(message) from error
    except (ParseError, ValueError, LookupError) as error:
        raise _not_xml(f"is not one XML document: {str(error)[:200]}") from error
    if sum(1 for _ in root.iter()) > ELEMENTS_MAX:
        raise _not_xml(f"has more than {ELEMENTS_MAX:,} elements")
    return {_name(root): plain_of(root)}


def plain_of(element: Element, depth: int = 1) -> Any:
    """An element as a plain value: its text, or a dict of its members by name.

    Names have no namespace. Attributes are members `@name`, text beside members is `#text`, and a
    name that stands several times is a list. An element without anything is None.

    Raises:
        Malformed: nested too deep.
    """
    if depth > DEPTH_MAX:
        raise _not_xml(f"has more than {DEPTH_MAX} elements within one another")
    found: dict[str, Any] = {
        f"@{_local(name)}": value for name, value in element.attrib.items() if value
    }
    lists: set[str] = set()
    for child in element:
        name, value = _name(child), plain_of(child, depth + 1)
        if name in lists:
            found[name].append(value)
        elif name in found:
            found[name] = [found[name], value]
            lists.add(name)
        else:
            found[name] = value
    text = (element.text or "").strip()
    if not found:
        return text or None
    return found | {"#text": text} if text else found


def _name(element: Element) -> str:
    return _local(element.tag)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _not_xml(message: str) -> Malformed:
    return Malformed("not_xml", [FieldError("", message)])
