"""TLS contexts from the settings; a file that cannot be used is named with its variable."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.runtime.config.settings import Settings, SettingsError


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """Make the TLS context, with the client's certificate if one is set; None without TLS.

    Raises:
        SettingsError: a certificate file cannot be used.
    """
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    context = authorities_context("KAFKA_SSL_CAFILE", settings.kafka_ssl_cafile)
    certificate = settings.kafka_ssl_certfile
    if certificate:
        secret = settings.kafka_ssl_password
        with _setting_of_file(
            "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE or KAFKA_SSL_PASSWORD", certificate
        ):
            context.load_cert_chain(
                certificate,
                settings.kafka_ssl_keyfile,
                # Without a value OpenSSL would ask at the terminal.
                secret.get_secret_value() if secret else "",
            )
    return context


def authorities_context(variable: str, file: Path | None) -> ssl.SSLContext:
    """Make a context that trusts the authorities in `file`, or the system's without one.

    Raises:
        SettingsError: the file, which `variable` names, cannot be used.
    """
    with _setting_of_file(variable, file):
        return ssl.create_default_context(cafile=file)


@contextmanager
def _setting_of_file(variables: str, file: Path | None) -> Iterator[None]:
    """Raise SettingsError with the variable that names a file which cannot be used."""
    try:
        yield
    except OSError as error:  # ssl.SSLError is one.
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise SettingsError(f"{variables}: cannot use {file}: {reason}") from error
