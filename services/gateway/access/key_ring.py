"""KeyRing: the valid API keys of an installation in memory, and which presented keys are right."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from services.gateway.access.keys import ApiKey, id_of, is_right
from services.gateway.names import SERVICE
from services.gateway.refusal import Refused, unauthorized, unavailable
from services.runtime.observability.metrics import Metrics

REMEMBERED = 10_000
"""Most presented keys whose check is remembered; a sender's own key is among them."""
WAITING_MAX = 8
WAITING_OF_ONE_ID_MAX = 2
LOOK_AGAIN_SECONDS = 1.0

_WRONG = unauthorized("wrong_key", "the API key is not valid: it is mistyped, revoked or expired")

ReadKeys = Callable[[], Awaitable[Mapping[str, ApiKey]]]


class KeyRing:
    """Checks presented keys.

    The keys are read from the database at intervals. A presented key is checked by argon2 once in a
    process, one at a time; later by its digest under a key of the process. A digest is bound to the
    hash that the check was made with, and is of no use once that key has left the ring.
    """

    def __init__(self, read: ReadKeys, cache_seconds: float, metrics: Metrics) -> None:
        self._read = read
        self._cache_seconds = cache_seconds
        self._keys: Mapping[str, ApiKey] = {}
        self._read_at: float | None = None
        self._looked_at = 0.0
        self._digest_key = secrets.token_bytes(32)
        self._checked: OrderedDict[bytes, tuple[str, bool]] = OrderedDict()
        self._checking = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self._in_progress: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._checks = metrics.http_key_checks_total

    async def refresh(self) -> None:
        """Read the keys from the database."""
        self._keys = await self._read()
        self._read_at = time.monotonic()

    def is_fresh(self) -> bool:
        """Whether the keys were read so lately that they may be used."""
        at = self._read_at
        return at is not None and time.monotonic() - at < self._cache_seconds

    def __len__(self) -> int:
        return len(self._keys)

    async def check(self, presented: str) -> ApiKey:
        """The key that was presented.

        Raises:
            Refused: 401, it is none that is valid; 429, too many keys are being checked; 503, the
                keys could not be read from the database for too long.
        """
        id_ = id_of(presented)
        if id_ is None:
            raise _WRONG
        key = await self._find(id_)
        digest = self._digest(presented)
        is_known = self._remembered(digest, key)
        if is_known is None:
            is_known = await self._check_by_hash(presented, digest, key)
        if not is_known:
            raise _WRONG
        return key

    async def _find(self, id_: str) -> ApiKey:
        if id_ not in self._keys or not self.is_fresh():
            await self._look_again()
        if not self.is_fresh():
            raise unavailable(
                "keys_unavailable",
                "API keys cannot be checked: the database does not answer, or is not migrated",
            )
        if id_ not in self._keys:
            raise _WRONG
        return self._keys[id_]

    async def _look_again(self) -> None:
        """Read the keys, at most once in LOOK_AGAIN_SECONDS: a key may have been made just now."""
        async with self._refreshing:
            if time.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS:
                return
            self._looked_at = time.monotonic()
            try:
                async with asyncio.timeout(LOOK_AGAIN_SECONDS * 2):
                    await self.refresh()
            except Exception:  # noqa: BLE001 - the worker that refreshes logs it
                return

    def _digest(self, presented: str) -> bytes:
        return hashlib.blake2b(presented.encode(), key=self._digest_key, digest_size=32).digest()

    def _remembered(self, digest: bytes, key: ApiKey) -> bool | None:
        """Whether the presented key is right, as far as a check with the same hash was made."""
        found = self._checked.get(digest)
        if found is None or found[0] != key.hash:
            return None
        self._checked.move_to_end(digest)
        return found[1]

    async def _check_by_hash(self, presented: str, digest: bytes, key: ApiKey) -> bool:
        """Whether a key belongs to its hash; requests with the same key wait for one check."""
        check = self._in_progress.get(digest)
        if check is None:
            check = self._begin_check(presented, digest, key)
        return await asyncio.shield(check)

    def _begin_check(self, presented: str, digest: bytes, key: ApiKey) -> asyncio.Task[bool]:
        of_id = self._waiting[key.id]
        if of_id >= WAITING_OF_ONE_ID_MAX or len(self._in_progress) >= WAITING_MAX:
            self._checks.labels(SERVICE, "put_off").inc()
            raise Refused(
                429, "too_many_keys", "too many API keys are being checked", retry_after=1
            )

        async def work() -> bool:
            try:
                async with self._checking:
                    right = await asyncio.to_thread(is_right, presented, key.hash)
            finally:
                del self._in_progress[digest]
                self._waiting -= Counter((key.id,))  # Drops a count of 0.
            self._checks.labels(SERVICE, "right" if right else "wrong").inc()
            self._remember(digest, key, right=right)
            return right

        self._waiting[key.id] += 1
        check = asyncio.create_task(work(), name="gateway.check_key")
        self._in_progress[digest] = check
        return check

    def _remember(self, digest: bytes, key: ApiKey, *, right: bool) -> None:
        self._checked[digest] = (key.hash, right)
        while len(self._checked) > REMEMBERED:
            self._checked.popitem(last=False)
