"""Opening the HTTP port; imports nothing but the standard library."""

from __future__ import annotations

import os
import socket


class HttpError(Exception):
    """The HTTP port cannot be opened; the text says which setting to change."""


def listen(
    host: str, port: int, *, setting: str = "HTTP", is_shared: bool = False
) -> socket.socket:
    """A socket that listens on `port` (0: a free one); HttpError when it is taken.

    `setting` begins the names of the settings that say host and port. Where `is_shared`, other
    processes may listen on the port in the same way.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, reuse_port=is_shared)
    except OSError as error:
        raise HttpError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; "
            f"set {setting}_PORT (0 takes a free one) or {setting}_HOST"
        ) from None
