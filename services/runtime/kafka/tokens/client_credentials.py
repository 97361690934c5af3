"""Tokens from a token server by the client credentials grant (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from services.runtime.config.settings import Settings
from services.runtime.kafka.tls import authorities_context
from services.runtime.kafka.tokens.token import FETCH_SECONDS, Token, TokenUnavailable

_CAFILE = "KAFKA_OAUTH_CAFILE"
ANSWER_MAX_BYTES = 64 * 1024
DEFAULT_LIFETIME_SECONDS = 300.0
"""Lifetime of a token whose server names none; RFC 6749 recommends it and does not demand it."""
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, 2.1
_CODE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,60}")  # RFC 6749, 5.2
_DESCRIPTION_MAX = 200
_LOOK_AT = {
    "invalid_client": "check KAFKA_OAUTH_CLIENT_ID, KAFKA_OAUTH_CLIENT_SECRET and "
    "KAFKA_OAUTH_CLIENT_AUTH",
    "unauthorized_client": "this client must be allowed the grant client_credentials",
    "unsupported_grant_type": "this server must support the grant client_credentials",
    "invalid_scope": "check KAFKA_OAUTH_SCOPE",
    "invalid_target": "check KAFKA_OAUTH_AUDIENCE",
}


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client of a token server, and what it asks for."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    is_in_body: bool
    scope: str | None
    audience: str | None
    cafile: Path | None

    @classmethod
    def of(cls, settings: Settings) -> ClientCredentials:
        """The client that the settings describe; they are checked. Raises SettingsError."""
        secret = settings.kafka_oauth_client_secret
        authorities_context(
            _CAFILE, settings.kafka_oauth_cafile
        )  # An unusable file ends the start.
        return cls(
            url=settings.kafka_oauth_token_url or "",
            client_id=settings.kafka_oauth_client_id or "",
            client_secret=secret.get_secret_value() if secret else "",
            is_in_body=settings.kafka_oauth_client_auth == "post",
            scope=settings.kafka_oauth_scope,
            audience=settings.kafka_oauth_audience,
            cafile=settings.kafka_oauth_cafile,
        )

    async def fetch(self) -> Token:
        """Ask the server for a token; redirects are not followed. Raises TokenUnavailable."""
        status, body = await self._post()
        answer = _object(body)
        if status != 200:
            raise TokenUnavailable(self._refusal(status, answer))
        value, kind = answer.get("access_token"), answer.get("token_type", "bearer")
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise TokenUnavailable(self._said("sends no access_token: check KAFKA_OAUTH_TOKEN_URL"))
        if str(kind).lower() != "bearer":
            raise TokenUnavailable(self._said("sends a token of another type than Bearer"))
        return Token(value, self._lifetime(answer.get("expires_in")))

    async def _post(self) -> tuple[int, bytes]:
        """Status and body of the answer, of at most ANSWER_MAX_BYTES."""
        import aiohttp

        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=authorities_context(_CAFILE, self.cafile)),
                    timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
                    cookie_jar=aiohttp.DummyCookieJar(),
                ) as session,
                session.post(
                    self.url, data=self._form(), headers=self._headers(), allow_redirects=False
                ) as response,
            ):
                body = await response.content.read(ANSWER_MAX_BYTES + 1)
                while len(body) <= ANSWER_MAX_BYTES and not response.content.at_eof():
                    body += await response.content.read(ANSWER_MAX_BYTES + 1 - len(body))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TokenUnavailable(self._said(_trouble(error))) from error
        if len(body) > ANSWER_MAX_BYTES:
            raise TokenUnavailable(self._said(f"sends more than {ANSWER_MAX_BYTES:,} bytes"))
        return response.status, body

    def _form(self) -> Mapping[str, str]:
        form = {"grant_type": "client_credentials", "scope": self.scope, "audience": self.audience}
        if self.is_in_body:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        return {name: value for name, value in form.items() if value}

    def _headers(self) -> Mapping[str, str]:
        headers = {"Accept": "application/json"}
        if not self.is_in_body:  # RFC 6749, 2.3.1: both are form-encoded first.
            login = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        return headers

    def _refusal(self, status: int, answer: Mapping[str, Any]) -> str:
        """The error of the server's answer (RFC 6749, 5.2), with the setting to look at."""
        code, text = str(answer.get("error", "")), str(answer.get("error_description", ""))
        if not _CODE.fullmatch(code):
            return self._said(f"answers with status {status}: check KAFKA_OAUTH_TOKEN_URL")
        shown = "".join(each for each in text[:_DESCRIPTION_MAX] if each.isprintable())
        if self.client_secret in text:
            shown = ""
        detail = f"{code}: {shown}" if shown else code
        return self._said(f"refuses client {self.client_id} ({detail})" + _advice(code))

    def _lifetime(self, seconds: object) -> float:
        """`expires_in` as seconds; some servers send it as text."""
        if seconds is None:
            return DEFAULT_LIFETIME_SECONDS
        text = str(seconds)
        if isinstance(seconds, bool) or not re.fullmatch(r"\d{1,9}(\.\d+)?", text):
            raise TokenUnavailable(self._said("sends an expires_in that is no number of seconds"))
        if not float(text):
            raise TokenUnavailable(self._said("sends a token that has expired (expires_in is 0)"))
        return float(text)

    def _said(self, what: str) -> str:
        return f"the token server {self.url.split('?')[0]} {what}"


def _object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body; empty where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _advice(code: str) -> str:
    return f": {_LOOK_AT[code]}" if code in _LOOK_AT else ""


def _trouble(error: BaseException) -> str:
    """Why there was no answer, with the setting to look at."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"shows a certificate that is not trusted ({cause.verify_message}): check the name "
                "in KAFKA_OAUTH_TOKEN_URL, and KAFKA_OAUTH_CAFILE"
            )
        cause = getattr(cause, "certificate_error", None) or cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return f"does not answer within {FETCH_SECONDS:.0f} s"
    return f"cannot be reached ({type(error).__name__}): check KAFKA_OAUTH_TOKEN_URL"
