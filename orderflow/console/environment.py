"""Settings of a command: the environment's; without servers in it, those of the local stack."""

import os
from pathlib import Path

from pydantic import SecretStr

from services.runtime.config.settings import Settings

_PROJECT = Path(__file__).resolve().parents[2]


def stack_folder() -> Path:
    """Where `orderflow up` keeps its servers: ORDERFLOW_STACK_FOLDER, else in the project."""
    chosen = os.environ.get("ORDERFLOW_STACK_FOLDER")
    if chosen:
        return Path(chosen)
    root = _PROJECT if (_PROJECT / "pyproject.toml").exists() else Path.cwd()
    return root / ".orderflow"


def load_settings() -> Settings:
    """Settings from the environment; when it names neither Kafka nor a database and the servers of
    a local stack run, their addresses. SettingsError when a variable is wrong.
    """
    settings = Settings.from_environment()
    named = {"kafka_bootstrap_servers", "database_url"} & settings.model_fields_set
    return settings if named else settings.model_copy(update=_of_local_stack())


def _of_local_stack() -> dict[str, str | SecretStr]:
    folder = stack_folder()
    if not (folder / "stack.json").exists():
        return {}
    from deploy.stack import status

    state = status(folder)
    if state is None or not state.has_servers:
        return {}
    return {
        "kafka_bootstrap_servers": state.addresses.kafka_bootstrap_servers,
        "database_url": SecretStr(state.addresses.database_url),
    }
