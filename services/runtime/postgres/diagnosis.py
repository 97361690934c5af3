"""Why Postgres does not let us in: a sentence with the part of the address to look at."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg

from services.runtime.config.environment import SettingsError

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_OTHER_NAME = {62, 64}  # OpenSSL's verdicts on a certificate.


class DatabaseRefused(ConnectionError):
    """Postgres is there and does not let us in; heals when what the text names is mended."""


@contextmanager
def translate_errors(url: str, variable: str) -> Iterator[None]:
    """Connect in this block to `url`, which stands in `variable`; the text never holds a secret.

    Raises:
        SettingsError: a file that the address names cannot be read; waiting would not mend it.
        DatabaseRefused: the server's certificate, ours, or the login is not accepted.
    """
    _check_files(url, variable)
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DatabaseRefused(f"{_of_certificate(error)} in {variable}") from error
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


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_NAME:
        return (
            "the database shows a certificate for another name: use the name that is in it as host"
        )
    return (
        f"the database shows a certificate that is not trusted ({error.verify_message}): set "
        "sslrootcert to the authority that signed it"
    )


def _check_files(url: str, variable: str) -> None:
    """Of a missing file asyncpg says that one is missing, and not which."""
    named = parse_qs(urlsplit(url).query)
    for parameter in _FILES:
        for path in named.get(parameter, []):
            if not os.access(path, os.R_OK):
                raise SettingsError(f"{variable}: cannot read {path}, which {parameter} names")
