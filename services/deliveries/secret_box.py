"""Encrypts the secrets of destinations by AES-GCM, under keys that are in no database."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from services.deliveries.messages.signing import SECRET_BYTES, secret_text
from services.runtime.config.environment import SettingsError

VARIABLE = "ORDERFLOW_DELIVERIES_KEY"
KEY_BYTES = 32
_FORM = b"\x01"
_ID_BYTES, _NONCE_BYTES = 4, 12


class SecretUnreadable(Exception):
    """A stored secret belongs to none of the keys in the file; the text says what to do."""


class SecretBox:
    """Encrypts with the first key, decrypts with any of them."""

    def __init__(self, keys: Mapping[bytes, AESGCM], current: bytes) -> None:
        self._keys = keys
        self._current = current

    def new_secret(self, shop: str, name: str) -> bytes:
        """A new random secret of a destination, encrypted."""
        return self.encrypt(secret_text(secrets.token_bytes(SECRET_BYTES)), shop, name)

    def encrypt(self, secret: str, shop: str, name: str) -> bytes:
        """Encrypt a secret; it can be decrypted for this destination alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, secret.encode(), _about(shop, name))
        return _FORM + self._current + nonce + sealed

    def decrypt(self, sealed: bytes, shop: str, name: str) -> str:
        """Decrypt a secret of this destination.

        Raises:
            SecretUnreadable: no key fits.
        """
        id_, rest = sealed[1 : 1 + _ID_BYTES], sealed[1 + _ID_BYTES :]
        key = self._keys.get(id_) if sealed[:1] == _FORM else None
        if key is None:
            raise SecretUnreadable(
                f"the secret of {shop}/{name} was encrypted under a key that is not in "
                f"{VARIABLE}: add that key as a further line, or rotate the secret"
            )
        try:
            return key.decrypt(
                rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _about(shop, name)
            ).decode()
        except InvalidTag:
            raise SecretUnreadable(
                f"the stored secret of {shop}/{name} is damaged: rotate it"
            ) from None


def read_box(keys: SecretStr | None) -> SecretBox | None:
    """Read the keys, one a line, in base64; the first one encrypts. None where there are none.

    Raises:
        SettingsError: one cannot be read.
    """
    if keys is None:
        return None
    found = [_key(line) for line in keys.get_secret_value().split()]
    return SecretBox({_id(each): AESGCM(each) for each in found}, _id(found[0]))


def _key(line: str) -> bytes:
    try:
        key = base64.b64decode(line, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{VARIABLE}: each line must be {KEY_BYTES} bytes in base64, as made by "
            "`openssl rand -base64 32`"
        )
    return key


def _id(key: bytes) -> bytes:
    return hashlib.sha256(b"orderflow/key-id\n" + key).digest()[:_ID_BYTES]


def _about(shop: str, name: str) -> bytes:
    return f"{shop}\n{name}".encode()
