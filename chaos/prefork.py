"""Where replicas are born: one process imports the services once and forks a replica in a moment.

Starting Python and importing takes more than a second of work each time; a campaign starts hundreds
of replicas. Run as `python -m chaos.prefork`; reads one order a line (JSON) from
standard input, answers with the pid. A replica dies with its nursery.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from typing import Any

from chaos import replica

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Fork a replica for every order, until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The kernel buries the dead.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the campaign's to answer.
    replica.import_services()
    gc.freeze()
    answer("ready")
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order)
        answer(pid)


def answer(word: Any) -> None:
    """One line to the campaign."""
    sys.stdout.write(f"{json.dumps(word)}\n")
    sys.stdout.flush()


def _live(order: dict[str, Any]) -> None:
    """The life of the forked replica; never returns."""
    code = 1
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _write_to(order["log"])
        os.environ.clear()
        os.environ.update(order["environment"])
        gc.unfreeze()
        replica.live(replica.Orders(**order["orders"]))
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it dies of belongs into its log
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _write_to(log: str) -> None:
    """Standard output and error go to the log; standard input is empty."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    os.close(nothing)


if __name__ == "__main__":
    main()
