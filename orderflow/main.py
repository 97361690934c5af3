"""The command `orderflow`: every command by name."""

import importlib
import os
import signal
from types import FrameType
from typing import Any

import typer

from orderflow.console.terminal import INTERRUPTED, Commands

COMMANDS = {
    "up": "orderflow.commands.local:up",
    "down": "orderflow.commands.local:down",
    "serve": "orderflow.commands.serve:serve",
    "migrate": "orderflow.commands.migrate:migrate",
    "topics": "orderflow.commands.topics:app",
    "partitions": "orderflow.commands.partitions:app",
    "send": "orderflow.commands.send:send",
    "tail": "orderflow.commands.tail:tail",
    "order": "orderflow.commands.order:order",
    "carriers": "orderflow.commands.carriers:app",
    "campaigns": "orderflow.commands.campaigns:app",
    "republish": "orderflow.commands.republish:republish",
    "erase": "orderflow.commands.erase:erase",
    "rebuild": "orderflow.commands.rebuild:rebuild",
    "recall": "orderflow.commands.recall:recall",
    "rejected": "orderflow.commands.rejected:app",
    "parked": "orderflow.commands.parked:app",
    "outbox": "orderflow.commands.outbox:app",
    "acts": "orderflow.commands.acts:acts",
    "report": "orderflow.commands.report:app",
    "demo": "orderflow.commands.demo:demo",
    "stack": "orderflow.commands.stack:app",
    "settings": "orderflow.commands.settings:settings",
    "capacity": "orderflow.commands.capacity:capacity",
    "health": "orderflow.commands.health:health",
    "keys": "orderflow.commands.keys:app",
    "destinations": "orderflow.commands.destinations:app",
}
"""The module and the name of each command: a function, or an app with commands of its own."""


class _AllCommands(Commands):
    """Commands that are imported when they are used.

    All of them are most of a second of CPU, which a health check and a process that is to serve
    would pay too.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click gives it
        """The names, as they are listed in the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name; None when there is none."""
        # For a name that is not one, typer looks through the loaded ones for what was meant.
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = _load(name)
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except KeyboardInterrupt:  # It takes up to a second; Ctrl-C in it is no error either.
        raise typer.Exit(INTERRUPTED) from None
    one = typer.Typer(rich_markup_mode="markdown")
    one.callback()(_nothing)
    if isinstance(found, typer.Typer):
        one.add_typer(found, name=name)
    else:
        one.command(name)(found)
    group: Any = typer.main.get_command(one)
    return group.commands[name]


def _nothing() -> None:
    """Makes an app of one command a group, as typer wants it."""


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


# The first process of a container (id 1) ignores a signal that it does not handle, and would be
# killed after the grace period. Services handle it themselves once they run.
if os.getpid() == 1:
    signal.signal(signal.SIGTERM, _end)

app = typer.Typer(
    name="orderflow",
    cls=_AllCommands,
    help="Orders and tracking from Kafka, into Postgres, and out again as events.",
    epilog="Start here: `orderflow up`, then what it prints. Settings: `orderflow settings`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.callback()(_nothing)
