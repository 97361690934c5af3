"""Settings of a command: the environment's; without servers in it, those of the local stack."""

import base64
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from services.runtime.config.settings import Settings

_PROJECT = Path(__file__).resolve().parents[2]
_RECEIVERS_HERE: dict[str, str | bool] = {
    "deliveries_allow_http": True,
    "deliveries_ports": "443,8443,9000",
    "deliveries_networks": "127.0.0.0/8,::1/128",
}
"""Settings of the local stack: webhooks may also be sent to receivers on this machine."""


def stack_folder() -> Path:
    """Where `orderflow up` keeps its servers: ORDERFLOW_STACK_FOLDER, else in the project."""
    chosen = os.environ.get("ORDERFLOW_STACK_FOLDER")
    if chosen:
        return Path(chosen)
    root = _PROJECT if (_PROJECT / "pyproject.toml").exists() else Path.cwd()
    return root / ".orderflow"


def load_settings() -> Settings:
    """Settings from the environment; when it names neither Kafka nor a database and the servers of
    a local stack run, their addresses and, unless it says otherwise, what that stack has for
    webhooks. SettingsError when a variable is wrong.
    """
    settings = Settings.from_environment()
    given = settings.model_fields_set
    if {"kafka_bootstrap_servers", "database_url"} & given:
        return settings
    local = _of_local_stack()
    return settings.model_copy(update={name: local[name] for name in local.keys() - given})


def _of_local_stack() -> dict[str, str | bool | SecretStr]:
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
        "deliveries_key": SecretStr(webhook_key_file(folder).read_text("ascii")),
        **_RECEIVERS_HERE,
    }


def webhook_key_file(folder: Path) -> Path:
    """The file with the local stack's key for secrets of webhooks; made where there is none."""
    file = folder / "deliveries.key"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(base64.b64encode(secrets.token_bytes(32)))
        draft.replace(file)
    return file


def webhook_environment(folder: Path) -> dict[str, str]:
    """Variables of the local stack for webhooks: receivers on this machine are allowed too."""
    variables = {
        "ORDERFLOW_DELIVERIES_KEY_FILE": str(webhook_key_file(folder)),
        **{f"ORDERFLOW_{name.upper()}": str(value) for name, value in _RECEIVERS_HERE.items()},
    }
    if "ORDERFLOW_DELIVERIES_KEY" in os.environ:
        del variables["ORDERFLOW_DELIVERIES_KEY_FILE"]
    return {name: os.environ.get(name, value) for name, value in variables.items()}
