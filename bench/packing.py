"""What packing the outbox brings on real texts: `python -m bench.packing FOLDER`.

FOLDER holds an Olist sample (`demo/olist.py`). Its placements go through the orders service's own
path in batches of 500; the rows that each batch writes are then packed in several ways.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cramjam
from rich.console import Console

from bench.counting import Counter
from bench.pure import _Path
from bench.traffic.messages import Letter
from demo.olist import read_script
from demo.script import ScriptMessage
from schemas.topics import ORDERS_COMMANDS
from services.runtime.outbox import rows as outbox_rows

BATCH = 500
LAPS = 3
_OUT = Console(highlight=False, soft_wrap=True)


def _bodies(folder: Path) -> tuple[list[bytes], int]:
    """The unpacked rows of all batches, and how many records they hold."""
    rows: list[tuple[bytes, int]] = []
    compress = outbox_rows._packed

    def keep(parts: list[bytes], count: int, size: int) -> outbox_rows.Packed:
        rows.append((b"".join(parts), count))
        return compress(parts, count, size)

    outbox_rows._packed = keep  # type: ignore[assignment]
    path = _Path()
    messages = read_script(folder).messages
    letters = [_letter(each) for each in _first_of_each_order(messages)]
    for start in range(0, len(letters), BATCH):
        path.run(letters[start : start + BATCH], Counter())
    outbox_rows._packed = compress
    return [body for body, _ in rows], sum(count for _, count in rows)


def _first_of_each_order(messages: Sequence[ScriptMessage]) -> list[ScriptMessage]:
    """In a batch of the sample played in time an order's events repeat; here no two of a batch are
    of one order, which is the worst that compression meets.
    """
    commands = (each for each in reversed(messages) if each.topic == ORDERS_COMMANDS)
    return list({each.key: each for each in commands}.values())[::-1]


def _letter(message: ScriptMessage) -> Letter:
    return Letter(message.topic, message.key or b"", message.value or b"", message.headers, 1)


def _whole(work: Callable[[bytes], object]) -> Callable[[bytes], bytes]:
    return lambda given: bytes(work(given))  # type: ignore[call-overload]


def _microseconds(work: Callable[[bytes], bytes], given: Sequence[bytes]) -> float:
    """CPU of one lap, the best of LAPS."""
    laps = []
    for _ in range(LAPS):
        begun = time.process_time()
        for each in given:
            work(each)
        laps.append(time.process_time() - begun)
    return min(laps) * 1e6


def main() -> None:
    """Print bytes and microseconds a record, each way."""
    bodies, records = _bodies(Path(sys.argv[1]))
    size = sum(map(len, bodies))
    _OUT.print(f"records={records} rows={len(bodies)} bytes={size / records:.0f} a record, none")
    for name, (compress, decompress) in FORMATS.items():
        packed = [compress(body) for body in bodies]
        there = _microseconds(compress, bodies) / records
        back = _microseconds(decompress, packed) / records
        stored = sum(map(len, packed)) / records
        _OUT.print(f"{name}: bytes={stored:.0f} compress_us={there:.2f} decompress_us={back:.2f}")


FORMATS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zstd 1": (lambda b: bytes(cramjam.zstd.compress(b, 1)), _whole(cramjam.zstd.decompress)),
    "zstd 3": (lambda b: bytes(cramjam.zstd.compress(b, 3)), _whole(cramjam.zstd.decompress)),
    "lz4": (_whole(cramjam.lz4.compress_block), _whole(cramjam.lz4.decompress_block)),
}

if __name__ == "__main__":
    main()
