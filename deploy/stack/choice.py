"""Which servers to use: those named in the environment, ones from images, or the embedded pair."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.stack.addresses import Addresses, Stack
from deploy.stack.errors import StackError
from deploy.stack.images import ImageStack
from deploy.stack.local import LocalStack
from deploy.stack.machine import KAFKA_PORT, POSTGRES_PORT, named_port
from deploy.stack.progress import StepDisplay


class NamedStack(Stack):
    """Servers that run already, named by their addresses; they are neither started nor stopped."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def start(self, progress: StepDisplay | None = None) -> Addresses:  # noqa: ARG002
        """Return the addresses."""
        return self._addresses

    def stop(self) -> None:
        """Do nothing."""


def stack_for(folder: Path, environ: Mapping[str, str] = os.environ) -> Stack:
    """The stack that the environment asks for; `folder` is for the embedded one.

    Named servers (KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL together) win; ORDERFLOW_STACK=docker
    takes images; else the embedded pair. Raises StackError when the environment contradicts itself.
    """
    kafka, postgres = environ.get("KAFKA_BOOTSTRAP_SERVERS"), environ.get("DATABASE_URL")
    if kafka and postgres:
        return NamedStack(Addresses(kafka, postgres))
    if kafka or postgres:
        missing = "DATABASE_URL" if kafka else "KAFKA_BOOTSTRAP_SERVERS"
        raise StackError(
            f"only one of the two servers is named: set {missing} as well, or unset the other to "
            "have both started for you"
        )
    kind = environ.get("ORDERFLOW_STACK") or "embedded"
    makers: dict[str, Callable[[], Stack]] = {
        "docker": ImageStack,
        "embedded": lambda: LocalStack(
            folder,
            kafka_port=named_port(environ, KAFKA_PORT),
            postgres_port=named_port(environ, POSTGRES_PORT),
        ),
    }
    if kind not in makers:
        raise StackError(f"ORDERFLOW_STACK={kind}: set it to embedded or docker, or unset it")
    return makers[kind]()
