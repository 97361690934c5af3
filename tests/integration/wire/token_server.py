"""A token server on the loopback address: it signs tokens (JWT) and shows the key to check them."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "kafka"
ISSUER = "tests"
LIFETIME_SECONDS = 60.0


@dataclass(slots=True)
class TokenServer:
    """Clients with their secrets, and what the server does; tests change it while it runs."""

    clients: Mapping[str, str]
    lifetime_seconds: float = LIFETIME_SECONDS
    audience: str = AUDIENCE
    answer: tuple[int, Mapping[str, str], bytes] | None = None
    """Status, headers and body of every answer, instead of a token."""
    given: list[str] = field(default_factory=list)
    """The client of each token that was given, in order."""
    asked: list[Mapping[str, str]] = field(default_factory=list)
    """The form of each request."""
    port: int = 0
    _key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    _http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where tokens are asked for."""
        return f"http://127.0.0.1:{self.port}/token"

    @property
    def keys_url(self) -> str:
        """Where the broker finds the public key."""
        return f"http://127.0.0.1:{self.port}/keys"

    def start(self) -> None:
        """Listen on a free port; after `stop` on the same one as before."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler_of(self))
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def reset(self) -> None:
        """Listen, and be as at the beginning."""
        if self._http is None:
            self.start()
        self.lifetime_seconds, self.audience, self.answer = LIFETIME_SECONDS, AUDIENCE, None
        self.given.clear()
        self.asked.clear()

    def keys(self) -> bytes:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one"}
        key |= {"n": _base64(_bytes(numbers.n)), "e": _base64(_bytes(numbers.e))}
        return json.dumps({"keys": [key]}).encode()

    def token(self, client: str) -> bytes:
        """The answer with a token of a client."""
        now = int(time.time())
        claims: dict[str, Any] = {"iss": ISSUER, "sub": client, "aud": self.audience, "iat": now}
        claims["exp"] = now + self.lifetime_seconds
        claims["scope"] = "kafka"
        head = _base64(json.dumps({"alg": "RS256", "kid": "one", "typ": "JWT"}).encode())
        signed = f"{head}.{_base64(json.dumps(claims).encode())}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        answer = {"access_token": f"{signed}.{_base64(signature)}", "token_type": "Bearer"}
        return json.dumps(answer | {"expires_in": self.lifetime_seconds}).encode()


@contextmanager
def token_server(clients: Mapping[str, str]) -> Iterator[TokenServer]:
    """A server that listens for the time of a block."""
    server = TokenServer(clients)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _handler_of(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {}, server.keys())

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
            server.asked.append(form)
            if server.answer:
                self._send(*server.answer)
                return
            client, secret = _login(self.headers.get("Authorization"), form)
            if server.clients.get(client) != secret:
                self._send(401, {}, b'{"error": "invalid_client"}')
                return
            server.given.append(client)
            self._send(200, {}, server.token(client))

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Write nothing: a test reads `asked`."""

    return Handler


def _login(header: str | None, form: Mapping[str, str]) -> tuple[str, str]:
    """Client and secret of a request, from the header or from the form."""
    if header is None:
        return form.get("client_id", ""), form.get("client_secret", "")
    client, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return unquote_plus(client), unquote_plus(secret)


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
