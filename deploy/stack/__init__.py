"""The local stack: a PostgreSQL server and an Apache Kafka broker, from Python packages alone.

    with LocalStack(folder) as stack:
        addresses = stack.start(Terminal())

`stack_for` returns the stack that the environment asks for: servers that run already, servers from
container images, or the local stack. `up`, `down` and `status` are for a stack left running.
"""

from deploy.stack.addresses import Addresses, Stack
from deploy.stack.choice import NamedStack, stack_for
from deploy.stack.detached import Running, add, down, status, up
from deploy.stack.errors import (
    AlreadyRunning,
    DamagedDownload,
    DiskFull,
    JavaMissing,
    NoNetwork,
    NotRunning,
    PortTaken,
    ServerFailed,
    StackError,
    TooLittleMemory,
)
from deploy.stack.images import ImageStack
from deploy.stack.local import LocalStack
from deploy.stack.machine import Needs
from deploy.stack.progress import Silent, StepDisplay, Terminal

__all__ = [
    "Addresses",
    "AlreadyRunning",
    "DamagedDownload",
    "DiskFull",
    "ImageStack",
    "JavaMissing",
    "LocalStack",
    "NamedStack",
    "Needs",
    "NoNetwork",
    "NotRunning",
    "PortTaken",
    "Running",
    "ServerFailed",
    "Silent",
    "Stack",
    "StackError",
    "StepDisplay",
    "Terminal",
    "TooLittleMemory",
    "add",
    "down",
    "stack_for",
    "status",
    "up",
]
