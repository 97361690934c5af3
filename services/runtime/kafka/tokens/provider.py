"""What aiokafka asks for a token when a connection logs in."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.abc import AbstractTokenProvider

from services.runtime.config.settings import Settings
from services.runtime.kafka.compat import oauth_answers
from services.runtime.kafka.tokens.cache import TokenCache, cache_of
from services.runtime.kafka.tokens.client_credentials import ClientCredentials
from services.runtime.kafka.tokens.msk_iam import MskIam
from services.runtime.kafka.tokens.token import TokenSource


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """The token of a cache, and the SASL extensions of a login."""

    def __init__(self, cache: TokenCache, extensions: Mapping[str, str]) -> None:
        self._cache = cache
        self._extensions = extensions

    async def token(self) -> str:
        """A valid token. Raises TokenUnavailable."""
        return await self._cache.token()

    def reject(self) -> None:
        """Note that the broker has rejected the token."""
        self._cache.reject()

    @property
    def trouble(self) -> str:
        """Why there is no new token; empty if there is one."""
        return self._cache.trouble

    def extensions(self) -> Mapping[str, str]:
        """SASL extensions by name."""
        return self._extensions


def token_provider(settings: Settings) -> TokenProvider:
    """Make a provider; all providers of a process with the same settings share a token.

    Raises:
        SettingsError: KAFKA_OAUTH_CAFILE cannot be used, or a package is missing.
    """
    oauth_answers.install()
    source: TokenSource
    if settings.kafka_oauth_provider == "msk_iam":
        source = MskIam.of(settings)
    else:
        source = ClientCredentials.of(settings)
    return TokenProvider(cache_of(source), _extensions(settings.kafka_oauth_extensions or ""))


def token_trouble(settings: Settings) -> str:
    """Why the last token could not be fetched; empty if it could, or if none is needed."""
    return token_provider(settings).trouble if settings.uses_oauth else ""


def _extensions(text: str) -> Mapping[str, str]:
    """The extensions of KAFKA_OAUTH_EXTENSIONS, `name=value` with commas, by name."""
    return dict(each.strip().split("=", 1) for each in text.split(",") if each.strip())
