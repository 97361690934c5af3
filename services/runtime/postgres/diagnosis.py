"""Explains why a connection to Postgres fails, with the part of the address to correct."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg

from services.runtime.config.environment import SettingsError

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_WRONG_HOST = {62, 64}  # Error codes of OpenSSL's certificate verification.


class DatabaseRefused(ConnectionError):
    """Postgres answers and rejects the connection; the text says why. It may be retried."""


@contextmanager
def translate_errors(url: str, variable: str) -> Iterator[None]:
    """Translate errors of connecting to `url` in this block; `variable` is the setting it is from.

    The texts never hold a secret.

    Raises:
        SettingsError: a file that the address names cannot be read.
        DatabaseRefused: the server's certificate, the client's, or the login is not accepted.
    """
    _check_files(url, variable)
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DatabaseRefused(f"{_certificate_trouble(error)} in {variable}") from error
    except ssl.SSLError as error:
        raise DatabaseRefused(
            f"no TLS with the database ({error.reason or error}): see sslmode, sslcert and sslkey "
            f"in {variable}"
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseRefused(
            f"the database refuses the login ({error}): see user, password, sslmode and sslcert in "
            f"{variable}"
        ) from error
    except asyncpg.ProtocolViolationError as error:
        if "unsupported startup parameter" not in str(error):
            raise
        raise DatabaseRefused(
            f"{variable} leads to a connection pooler ({error}): give it the server's own address, "
            "and the pooler's to the variable of the service that ends in _DATABASE_POOLER_URL"
        ) from error
    except asyncpg.ConnectionDoesNotExistError as error:
        raise DatabaseRefused(
            f"the database ended the connection at once ({error}): it may not accept the "
            f"certificate of sslcert in {variable}"
        ) from error
    except ConnectionError as error:
        if "rejected SSL upgrade" not in str(error):
            raise
        raise DatabaseRefused(
            f"the database speaks no TLS and sslmode in {variable} asks for it: give it a "
            "certificate (ssl=on), or allow plain connections on a network you trust"
        ) from error


def _certificate_trouble(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _WRONG_HOST:
        return (
            "the database shows a certificate for another name: use the name that is in it as host"
        )
    return (
        f"the database shows a certificate that is not trusted ({error.verify_message}): set "
        "sslrootcert to the authority that signed it"
    )


def _check_files(url: str, variable: str) -> None:
    """Raise SettingsError for an unreadable file; asyncpg does not name the file."""
    named = parse_qs(urlsplit(url).query)
    for parameter in _FILES:
        for path in named.get(parameter, []):
            if not os.access(path, os.R_OK):
                raise SettingsError(f"{variable}: cannot read {path}, which {parameter} names")
