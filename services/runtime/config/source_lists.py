"""The lists of allowed sources that the settings name."""

from __future__ import annotations

from services.runtime.config.allowed_sources import ANY_SOURCE, AllowedSources
from services.runtime.config.environment import SettingsError
from services.runtime.config.settings import Settings


def allowed_sources_of(settings: Settings) -> AllowedSources:
    """The lists of allowed sources of an installation.

    Raises:
        SettingsError: the file cannot be read or holds something else, or both settings are set.
    """
    file = settings.allowed_sources_file
    if file is None:
        return (
            AllowedSources.parse(settings.allowed_sources)
            if settings.allowed_sources
            else ANY_SOURCE
        )
    if settings.allowed_sources:
        raise SettingsError(
            "ORDERFLOW_ALLOWED_SOURCES and ORDERFLOW_ALLOWED_SOURCES_FILE are both set: keep one"
        )
    try:
        return AllowedSources.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"cannot read {file}: {error.strerror}"
    except ValueError as error:  # UnicodeDecodeError is one.
        reason = f"{file} {error}"
    raise SettingsError(f"ORDERFLOW_ALLOWED_SOURCES_FILE: {reason}")
