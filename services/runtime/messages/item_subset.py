"""The header `ce_onlyitems`: a message is sent again for some of its items only.

If some items of a bulk command were rejected, the others were applied. Sending the command again
whole would rely on recognising the applied items as repeats, which a message without id prevents.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import groupby

from services.runtime.messages.json_codec import FieldError, Malformed

ITEMS_HEADER = "ce_onlyitems"
_RANGES = re.compile(rb"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")


def items_header(indexes: Collection[int]) -> tuple[str, bytes]:
    """Make the header that names the items with these indexes, such as `0-3,7`."""
    runs = []
    for _, run in groupby(enumerate(sorted(indexes)), lambda pair: pair[1] - pair[0]):
        numbers = [index for _, index in run]
        first, last = numbers[0], numbers[-1]
        runs.append(str(first) if first == last else f"{first}-{last}")
    return ITEMS_HEADER, ",".join(runs).encode()


def only_items(headers: Sequence[tuple[str, bytes]], count: int) -> Collection[int]:
    """Find the indexes that the header names of `count` items; all without the header.

    Raises:
        Malformed: the header is not such a list, or an index is not below `count`.
    """
    named = [value for name, value in headers if name == ITEMS_HEADER]
    if not named:
        return range(count)
    if not _RANGES.fullmatch(named[-1]):
        raise _malformed("must name items by index, such as 0-3,7")
    chosen: set[int] = set()
    for run in named[-1].split(b","):
        first, _, last = run.partition(b"-")
        if not int(first) <= int(last or first) < count:
            raise _malformed(f"{run.decode()} is not among the message's {count} items")
        chosen.update(range(int(first), int(last or first) + 1))
    return chosen


def _malformed(message: str) -> Malformed:
    return Malformed("header_not_allowed", [FieldError(f"/headers/{ITEMS_HEADER}", message)])
