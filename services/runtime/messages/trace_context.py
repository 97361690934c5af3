"""W3C Trace Context: what a `traceparent` says, read without trust in its sender."""

from __future__ import annotations

import re

from msgspec import Struct

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 1
LENGTH = 55
"""Characters of a `traceparent` of version 00; later versions may have more."""
_LENGTH_MAX = 256


class TraceContext(Struct, frozen=True, gc=False):
    """One span of a trace: 32 and 16 lower-case hexadecimal digits, and whether it is recorded."""

    trace_id: str
    span_id: str
    is_sampled: bool = True

    def __str__(self) -> str:
        """The `traceparent` that names the span."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


def read_traceparent(text: str | None) -> TraceContext | None:
    """Read a `traceparent`; None where it is absent or not valid, as the specification asks for.

    Not valid are other lengths, upper case, ids of zeros, version ff, and more fields in version
    00. A `tracestate` is not read.
    """
    if text is None or not LENGTH <= len(text) <= _LENGTH_MAX:
        return None
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))
