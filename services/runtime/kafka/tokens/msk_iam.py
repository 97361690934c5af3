"""Tokens for Amazon MSK: a signed address, made from the AWS credentials of the process."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from services.runtime.config.settings import Settings, SettingsError
from services.runtime.kafka.tokens.token import FETCH_SECONDS, Token, TokenUnavailable

PACKAGE = "aws-msk-iam-sasl-signer-python"
_MODULE = "aws_msk_iam_sasl_signer"


@dataclass(frozen=True, slots=True)
class MskIam:
    """The AWS region of the cluster; credentials are found as by every AWS library."""

    region: str

    @classmethod
    def of(cls, settings: Settings) -> MskIam:
        """The source that the settings describe.

        Raises:
            SettingsError: the package that signs is not installed.
        """
        if importlib.util.find_spec(_MODULE) is None:
            raise SettingsError(
                f"KAFKA_OAUTH_PROVIDER=msk_iam needs the package {PACKAGE}: install "
                "orderflow[msk], or what deploy/requirements-msk.lock pins"
            )
        return cls(settings.kafka_oauth_aws_region or "")

    async def fetch(self) -> Token:
        """Sign a token, in a thread: finding credentials may ask a server of AWS.

        Raises:
            TokenUnavailable: no credentials, or their server does not answer.
        """
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                value, expires_at_ms = await asyncio.to_thread(self._sign)
        except TimeoutError as error:
            raise TokenUnavailable(
                f"no AWS credentials for MSK within {FETCH_SECONDS:.0f} s: check the role of this "
                "process, or the server of its metadata"
            ) from error
        # The errors of botocore share no base with other errors; each of them ends the fetch alike.
        except Exception as error:
            # Without credentials the signer takes an attribute of None.
            found = "none found" if isinstance(error, AttributeError) else type(error).__name__
            raise TokenUnavailable(
                f"no token for MSK from the AWS credentials of this process ({found}): give it a "
                "role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from error
        return Token(value, expires_at_ms / 1000 - time.time())

    def _sign(self) -> tuple[str, int]:
        from importlib import import_module

        signer = import_module(f"{_MODULE}.MSKAuthTokenProvider")
        sign = cast("Callable[[str], tuple[str, int]]", signer.generate_auth_token)
        return sign(self.region)
