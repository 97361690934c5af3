"""Secrets of senders that sign, from files: signatures need them as they are, not hashed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from services.runtime.config.environment import SettingsError

VARIABLE = "ORDERFLOW_GATEWAY_SIGNATURE_KEYS_DIR"
SECRET_MIN_CHARACTERS = 8
SECRET_MAX_BYTES = 4_096


def read_secrets(folder: Path | None, senders: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """The secrets of each sender: files named `<sender>` or `<sender>.<anything>`.

    Names that begin with a dot are left out: Kubernetes makes them beside what it mounts.

    Raises:
        SettingsError: the folder or a file cannot be read, a name is of no sender, or a secret is
            empty or short.
    """
    if folder is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            sender = path.name.partition(".")[0]
            if sender not in senders:
                raise SettingsError(
                    f"{VARIABLE}: {path} is named for no known sender; there are "
                    f"{', '.join(sorted(senders))}"
                )
            found[sender] = (*found.get(sender, ()), _secret_in(path))
    except OSError as error:
        where = error.filename or folder
        raise SettingsError(f"{VARIABLE}: cannot read {where}: {error.strerror}") from None
    return found


def _secret_in(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(SECRET_MAX_BYTES + 1)
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise SettingsError(f"{VARIABLE}: {path} is not UTF-8") from None
    if len(text) < SECRET_MIN_CHARACTERS or len(data) > SECRET_MAX_BYTES:
        raise SettingsError(
            f"{VARIABLE}: {path} must hold one secret of at least {SECRET_MIN_CHARACTERS} "
            f"characters, in at most {SECRET_MAX_BYTES} bytes"
        )
    return text
