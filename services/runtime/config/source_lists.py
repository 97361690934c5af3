"""Which sources may send commands for which shop, as the settings say."""

from __future__ import annotations

from services.runtime.config.allowed_sources import ANYBODY, AllowedSources
from services.runtime.config.environment import SettingsError
from services.runtime.config.settings import Settings


def allowed_sources_of(settings: Settings) -> AllowedSources:
    """Who may send commands for which shop.

    Raises:
        SettingsError: the file cannot be read or says something else, or both ways are set.
    """
    file = settings.allowed_sources_file
    if file is None:
        return (
            AllowedSources.parse(settings.allowed_sources) if settings.allowed_sources else ANYBODY
        )
    if settings.allowed_sources:
        raise SettingsError(
            "ORDERFLOW_ALLOWED_SOURCES and ORDERFLOW_ALLOWED_SOURCES_FILE are both set: keep one"
        )
    try:
        return AllowedSources.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        told = f"cannot read {file}: {error.strerror}"
    except ValueError as error:  # UnicodeDecodeError is one.
        told = f"{file} {error}"
    raise SettingsError(f"ORDERFLOW_ALLOWED_SOURCES_FILE: {told}")
