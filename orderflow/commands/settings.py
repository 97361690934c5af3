"""`orderflow settings`: every setting with its value here, secrets masked."""

import os
import re

from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from orderflow.console.environment import load_settings
from orderflow.console.terminal import Json, out, print_json
from services.runtime.config.environment import variable
from services.runtime.config.settings import Settings

_PASSWORD_IN_URL = re.compile(r"(?<=://)(?P<user>[^:@/]*):[^@/]*@")


def settings(json: Json = False) -> None:
    """Show every setting: its value here, where the value comes from, and what it means.

    Secrets are masked. Example: `LOG_LEVEL=DEBUG orderflow settings`
    """
    chosen = load_settings()
    rows = [
        (variable(name, field), shown(getattr(chosen, name)), _origin(chosen, name))
        for name, field in Settings.model_fields.items()
    ]
    if json:
        print_json({name: {"value": value, "from": origin} for name, value, origin in rows})
        return
    table = Table("variable", "value", "from", "meaning")
    meanings = [field.description or "" for field in Settings.model_fields.values()]
    for row, meaning in zip(rows, meanings, strict=True):
        table.add_row(*map(escape, (*row, meaning)))
    out.print(table)


def shown(value: object) -> str:
    """A value as it may be shown: a secret as stars, an address without its password."""
    if not isinstance(value, SecretStr):
        return "" if value is None else str(value)
    text = value.get_secret_value()
    if "://" not in text:
        return "********"
    return _PASSWORD_IN_URL.sub(r"\g<user>:********@", text.split("?")[0])


def _origin(chosen: Settings, name: str) -> str:
    known = variable(name, Settings.model_fields[name])
    if os.environ.get(known):
        return "environment"
    if os.environ.get(f"{known}_FILE"):
        return "file"
    return "local stack" if name in chosen.model_fields_set else "default"
