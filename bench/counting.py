"""What the interpreter does, counted from mark to mark: the same on every machine and every day.

Three measures, because none of them covers everything:

- *instructions* of Python bytecode: what our own code and pure-Python libraries do;
- *calls into C*: functions and methods written in C that Python code called by name;
- *bytes* through the codecs below, where one such call may be a microsecond or a millisecond.

Not seen: how long one instruction takes; work in C whose size is in none of the three (a regular
expression that backtracks, a larger set); classes called as functions, and what C calls in C; a
codec that is not listed here; the drivers and the servers, which `parts.py` measures.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any

import jiter
import msgspec
import orjson
from pydantic import BaseModel, TypeAdapter

FOLDER = str(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done, by measure."""

    instructions: float = 0
    c_calls: float = 0
    codec_bytes: float = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def per(self, messages: int) -> Counts:
        """The same for one message, to a tenth."""
        return Counts(*(round(count / messages, 1) for count in astuple(self)))


class Counter:
    """Counts everything that this thread runs inside `counting`, the benchmark's own code
    excepted; each mark ends a part.
    """

    def __init__(self) -> None:
        self.parts: dict[str, Counts] = {}
        self._tally = [0, 0, 0]

    def begin(self) -> None:
        """What ran since the last mark does not count."""
        self._tally[:] = [0, 0, 0]

    def end(self, part: str) -> None:
        """What ran since the last mark was this part."""
        self.parts[part] = self.parts.get(part, Counts()) + Counts(*self._tally)
        self.begin()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count in this block; the collector does not run in it, as it would at odd moments."""
        before = sys.gettrace(), sys.getprofile()
        was_collecting = gc.isenabled()
        gc.disable()
        try:
            with _weighed_codecs(self._tally):
                sys.setprofile(_profile(self._tally))
                # Python 3.12 reports instructions only if a frame asked for them before settrace.
                sys._getframe().f_trace_opcodes = True
                sys.settrace(_trace(self._tally))
                try:
                    yield
                finally:
                    sys.settrace(before[0])
                    sys.setprofile(before[1])
        finally:
            if was_collecting:
                gc.enable()


def _trace(tally: list[int]) -> Callable[[FrameType, str, Any], Any]:
    def local(_frame: FrameType, event: str, _arg: Any) -> None:
        if event == "opcode":
            tally[0] += 1

    def enter(frame: FrameType, _event: str, _arg: Any) -> Any:
        if _is_ours(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    return enter


def _profile(tally: list[int]) -> Callable[[FrameType, str, Any], None]:
    def profile(frame: FrameType, event: str, _arg: Any) -> None:
        if event == "c_call" and not _is_ours(frame.f_code):
            tally[1] += 1

    return profile


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(FOLDER)


# Where bytes go through C: what is handed in where it reads, what comes out where it writes.
_READS: tuple[tuple[Any, str], ...] = (
    (jiter, "from_json"),
    (orjson, "loads"),
    (TypeAdapter, "validate_json"),
)
_WRITES: tuple[tuple[Any, str], ...] = ((orjson, "dumps"), (TypeAdapter, "dump_json"))
_CHECKS: tuple[tuple[Any, str], ...] = ((BaseModel, "model_validate"),)


def _bound_codecs() -> Iterator[tuple[Any, str, Any]]:
    """Encoders and decoders of msgspec, and methods of theirs, as the services' modules hold them.

    They are classes of C, whose methods cannot be replaced where they are defined.
    """
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("services."):
            for name, held in list(vars(module).items()):
                codec = getattr(held, "__self__", held)
                if isinstance(codec, msgspec.json.Encoder | msgspec.json.Decoder):
                    yield module, name, held


@contextmanager
def _weighed_codecs(tally: list[int]) -> Iterator[None]:
    dumps, kept = orjson.dumps, []

    def weigh_in(_found: Any, *args: Any) -> int:
        return len(args[-1])

    def weigh_out(found: Any, *_args: Any) -> int:
        return len(found)

    def weigh_body(_found: Any, body: Any) -> int:
        return len(dumps(body, default=str))

    def weighed_bound(held: Any) -> Any:
        if isinstance(held, msgspec.json.Decoder):
            return SimpleNamespace(decode=_weighed_call(held.decode, weigh_in, tally))
        if isinstance(held, msgspec.json.Encoder):
            return SimpleNamespace(encode=_weighed_call(held.encode, weigh_out, tally))
        is_reading = isinstance(held.__self__, msgspec.json.Decoder)
        return _weighed_call(held, weigh_in if is_reading else weigh_out, tally)

    weighings = ((_READS, weigh_in), (_WRITES, weigh_out), (_CHECKS, weigh_body))
    try:
        for codecs, weigh in weighings:
            for owner, name in codecs:
                kept.append((owner, name, vars(owner)[name]))
                setattr(owner, name, _weighed(owner, name, weigh, tally))
        for owner, name, held in _bound_codecs():
            kept.append((owner, name, held))
            setattr(owner, name, weighed_bound(held))
        yield
    finally:
        for owner, name, codec in kept:
            setattr(owner, name, codec)


def _weighed(owner: Any, name: str, weigh: Callable[..., int], tally: list[int]) -> Any:
    raw = vars(owner)[name]

    def run_on_class(cls: Any, /, body: Any, **options: Any) -> Any:
        found = raw.__func__(cls, body, **options)
        tally[2] += weigh(found, body)
        return found

    if isinstance(raw, classmethod):
        return classmethod(run_on_class)
    return _weighed_call(getattr(owner, name), weigh, tally)


def _weighed_call(codec: Callable[..., Any], weigh: Callable[..., int], tally: list[int]) -> Any:
    def run(*args: Any, **options: Any) -> Any:
        found = codec(*args, **options)
        tally[2] += weigh(found, *args)
        return found

    return run
