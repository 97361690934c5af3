"""W3C Trace Context: valid and hostile values of `traceparent`."""

import pytest

from services.runtime.messages.trace_context import TraceContext, read_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        (VALID, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
    ],
)
def test_traceparent_names_trace_span_and_flag(text: str, is_sampled: bool) -> None:
    assert read_traceparent(text) == TraceContext(TRACE, SPAN, is_sampled)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00",
        VALID.upper(),
        VALID[:-1],
        VALID + "0",
        VALID + "-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00_{TRACE}_{SPAN}_01",
        VALID.replace("4", "٤"),
        VALID + "\n",
        " " + VALID[:-1],
        f"cc-{TRACE}-{SPAN}-01-{'x' * 300}",
        "0" * 1_000_000,
    ],
    ids=lambda text: ascii(text)[:70],
)
def test_traceparent_that_is_not_valid_is_ignored(text: str | None) -> None:
    assert read_traceparent(text) is None


def test_trace_context_is_written_as_it_is_read() -> None:
    assert str(TraceContext(TRACE, SPAN)) == VALID
    assert str(TraceContext(TRACE, SPAN, is_sampled=False)) == VALID[:-2] + "00"
