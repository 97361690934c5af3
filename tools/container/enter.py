"""The first process of a container: enters the image's file system, drops rights, runs the program.

Started as a program of its own by tools.container.process, with one argument: a JSON object with
`root` (folder), `tmpfs` (path -> options), `files` (path -> source), `hostname`, `join` (id of a
process whose container is entered, instead of making one), `user`, `group`, `folder`,
`environment`, `command`; `ready` and `go`, ends of pipes: a byte is written to `ready`, and the
program is run when `go` is closed. It imports nothing of ours.

A failure is written to standard error, with the status 125, 126 or 127 of container engines.
"""

import ctypes
import json
import os
import platform
import subprocess
import sys
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_NAMESPACES = {"mnt": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "net": 0x40000000}
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_LAST_CAPABILITY = 63
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MNT_DETACH = 2
_DEVICES = ("null", "zero", "full", "random", "urandom")


def main(options: dict[str, Any]) -> None:
    """Run the program of the options in place of this process. Does not return."""
    if options["join"]:
        _join(options["join"])
    else:
        _prepare(options)
        os.write(options["ready"], b".")
        os.close(options["ready"])
        os.read(options["go"], 1)
    _drop_rights(options["user"], options["group"])
    os.chdir(options["folder"])
    command, environment = options["command"], options["environment"]
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606
    except FileNotFoundError:
        sys.exit(_said(f"{command[0]}: there is no such program in the image", 127))
    except OSError as error:
        sys.exit(_said(f"{command[0]}: {error.strerror}", 126))


def _join(process_id: int) -> None:
    """Enter the namespaces and the file system of a process. Its process ids stay unseen."""
    root = os.open(f"/proc/{process_id}/root", os.O_RDONLY | os.O_DIRECTORY)
    files = [os.open(f"/proc/{process_id}/ns/{name}", os.O_RDONLY) for name in _NAMESPACES]
    for file, kind in zip(files, _NAMESPACES.values(), strict=True):
        _check(_LIBC.setns(file, kind), "setns")
    os.fchdir(root)
    os.chroot(".")


def _prepare(options: dict[str, Any]) -> None:
    """The image's file system as the root, read-only, in the namespaces that `unshare` made."""
    root = options["root"]
    _run("mount", "--make-rprivate", "/")
    _run("mount", "--bind", root, root)
    _devices(root)
    _run("mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", f"{root}/proc")
    _run("mount", "-t", "tmpfs", "-o", "mode=755,size=1m", "tmpfs", f"{root}/run")
    for path, words in options["tmpfs"].items():
        _run("mount", "-t", "tmpfs", "-o", f"nosuid,nodev,noexec,{words}", "tmpfs", root + path)
    for path, source in options["files"].items():
        _bind_file(source, root + path)
    _run("mount", "-o", "remount,bind,ro,nosuid,nodev,noexec", f"{root}/run")
    _run("mount", "-o", "remount,bind,ro,nosuid,nodev", root)
    _run("hostname", options["hostname"])
    _run("ip", "link", "set", "lo", "up")
    # The former root is left: what is mounted below it is gone with the last reference.
    os.chdir(root)
    _check(_LIBC.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _check(_LIBC.umount2(b".", _MNT_DETACH), "umount")
    os.chdir("/")


def _devices(root: str) -> None:
    _run("mount", "-t", "tmpfs", "-o", "nosuid,noexec,mode=755,size=64k", "tmpfs", f"{root}/dev")
    for name in _DEVICES:
        _bind_file(f"/dev/{name}", f"{root}/dev/{name}", writable=True)
    shared = f"{root}/dev/shm"  # noqa: S108
    os.mkdir(shared)  # noqa: PTH102
    _run("mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,size=64m", "shm", shared)
    for at, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{at}", f"{root}/dev/{name}")  # noqa: PTH211
    os.symlink("/proc/self/fd", f"{root}/dev/fd")  # noqa: PTH211


def _bind_file(source: str, target: str, *, writable: bool = False) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    if not os.path.exists(target):  # noqa: PTH110
        with open(target, "xb"):  # noqa: PTH123
            pass
    _run("mount", "--bind", source, target)
    if not writable:
        _run("mount", "-o", "remount,bind,ro", target)


def _drop_rights(user: int, group: int) -> None:
    """No capability, no group of root, and no program that gives them back."""
    for capability in range(_LAST_CAPABILITY + 1):
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    _check(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    # A change of user clears it; the container ends with the process that started it.
    _LIBC.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def _run(*command: str) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        sys.exit(_said(f"{' '.join(command)}: {answer.stderr.strip()}", 125))


def _check(result: int, name: str) -> None:
    if result != 0:
        sys.exit(_said(f"{name}: {os.strerror(ctypes.get_errno())}", 125))


def _said(text: str, status: int) -> int:
    sys.stderr.write(f"container: {text}\n")
    return status


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
