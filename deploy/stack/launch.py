"""Turns this process into a server: ends it with its parent, gives up root where asked, then execs.

Run as a file, `python -I launch.py {options as JSON} program arguments…`, so that it needs nothing
but the standard library. Options: `parent` (process id; absent for a server that outlives it),
`parent_death_signal`, `user_id` and `group_id` (to change to, when root).
"""

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}


def main() -> None:
    """Apply the options and turn into the program."""
    options = json.loads(sys.argv[1])
    program = sys.argv[2:]
    if "user_id" in options:
        _become(options["user_id"], options["group_id"])
    if "parent" in options:
        _follow(options["parent"], options["parent_death_signal"])
    os.execv(program[0], program)  # noqa: S606


def _become(user_id: int, group_id: int) -> None:
    """Change to an ordinary user that may still enter folders only root may.

    Postgres refuses to run as root; but the checkout may lie in a folder closed to others, as
    /root is. The mode of that folder is not changed; the right to pass it is kept.
    """
    linux = sys.platform == "linux"
    if linux:
        _prctl(_PR_SET_KEEPCAPS, 1)
        # access(2), with which Postgres looks for its programs, ignores the right without this.
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(group_id, group_id, group_id)
    os.setresuid(user_id, user_id, user_id)
    if linux and os.uname().machine in _SYS_CAPSET:
        _keep_capability(_CAP_DAC_OVERRIDE)


def _keep_capability(capability: int) -> None:
    """Keep one capability across exec. Where that is refused, readable folders work as ever."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_SYS_CAPSET[os.uname().machine], header, data) == 0:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _follow(parent: int, death_signal: int) -> None:
    """Have the kernel signal this process when the parent's starting thread ends (Linux only)."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # The parent died before the line above.
        sys.exit(128 + signal.SIGTERM)


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    ctypes.CDLL(None, use_errno=True).prctl(option, *padded)


if __name__ == "__main__":
    main()
