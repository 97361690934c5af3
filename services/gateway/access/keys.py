"""API keys: `ofk_<id>_<secret>`. The id finds the row; the key is checked by its argon2 hash."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHOP, CARRIER, ACTIVITY = "shop", "carrier", "activity"
"""Kinds of keys. One of ACTIVITY may send activity of its shop alone: it stands in pages."""
_FORM = re.compile(r"ofk_(?P<id>[a-z2-7]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
# The secret has 256 random bits, so that the hash need not slow down guesses; these are the least
# parameters that OWASP recommends for argon2id. One check takes some 20 ms and 19 MiB.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A valid key as stored, without its secret."""

    id: str
    kind: str
    """SHOP, CARRIER or ACTIVITY."""
    name: str
    """The shop's slug, or the name of the form that the carrier sends."""
    source: str
    hash: str
    per_second: float | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; `text` is shown once and stored nowhere."""

    id: str
    text: str
    hash: str


def make_key() -> NewKey:
    """Make a random key."""
    id_ = base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]
    text = f"ofk_{id_}_{secrets.token_urlsafe(32)}"
    return NewKey(id_, text, _HASHER.hash(text))


def id_of(text: str) -> str | None:
    """The id in a key; None for a text that is no key."""
    found = _FORM.fullmatch(text)
    return found["id"] if found else None


def is_right(text: str, hash_: str) -> bool:
    """Whether a key belongs to a hash; takes some 20 ms."""
    try:
        return _HASHER.verify(hash_, text)
    except (VerificationError, InvalidHashError):
        return False
