"""Opening the HTTP port; imports nothing but the standard library."""

from __future__ import annotations

import os
import socket


class HttpError(Exception):
    """The HTTP port cannot be opened; the text says which setting to change."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `port` (0: a free one); HttpError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise HttpError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; "
            "set HTTP_PORT (0 takes a free one) or HTTP_HOST"
        ) from None
