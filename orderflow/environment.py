"""Settings of a command: the environment's, else those of the running local stack."""

from services.runtime.settings import Settings


def load_settings() -> Settings:
    """Settings from the environment; SettingsError when one is wrong."""
    return Settings.from_environment()
