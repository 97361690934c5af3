"""Settings of logins to Kafka by OAuth tokens (KAFKA_SASL_MECHANISM=OAUTHBEARER)."""

import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from services.runtime.config.kafka_settings import OAUTHBEARER, KafkaSettings

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ADDRESS = r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s#]+$"
# RFC 7628, 3.1, as Kafka checks it: letters, and visible text. `auth` is the token itself.
_EXTENSION = re.compile(r"(?P<name>[A-Za-z]+)=(?P<value>[\x21-\x2b\x2d-\x7e]+)")


def _has_port(parts: SplitResult) -> bool:
    """Whether the port, where there is one, is a number that a port can be."""
    try:
        return parts.port != 0
    except ValueError:
        return False


class OAuthSettings(KafkaSettings):
    """Where tokens come from and what is sent with them; `Settings` says where values come from."""

    kafka_oauth_provider: Literal["client_credentials", "msk_iam"] = Field(
        default="client_credentials",
        description="Where tokens for KAFKA_SASL_MECHANISM=OAUTHBEARER come from: a token server "
        "(RFC 6749, 4.4), or the AWS credentials of the process, for Amazon MSK (needs the extra "
        "`msk`).",
    )
    kafka_oauth_token_url: str | None = Field(
        default=None,
        json_schema_extra={"pattern": _ADDRESS},
        description="Address of the token server, `https://…`; `http://` only on this machine.",
    )
    kafka_oauth_client_id: str | None = Field(
        default=None, description="Client id at the token server."
    )
    kafka_oauth_client_secret: SecretStr | None = Field(
        default=None, description="Secret of KAFKA_OAUTH_CLIENT_ID."
    )
    kafka_oauth_client_auth: Literal["basic", "post"] = Field(
        default="basic",
        description="How id and secret are sent to the token server: in the header "
        "`Authorization`, or in the body (some servers accept only that).",
    )
    kafka_oauth_scope: str | None = Field(
        default=None, description="Scopes to ask the token server for, with spaces between."
    )
    kafka_oauth_audience: str | None = Field(
        default=None, description="`audience` to ask the token server for; some servers need it."
    )
    kafka_oauth_extensions: str | None = Field(
        default=None,
        description="SASL extensions for the broker, `name=value`, several with commas; Confluent "
        "Cloud needs `logicalCluster=lkc-…,identityPoolId=pool-…`.",
    )
    kafka_oauth_cafile: Path | None = Field(
        default=None,
        description="PEM file of the authorities to trust at the token server; absent: the "
        "system's.",
    )
    kafka_oauth_aws_region: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2}(-[a-z]+)+-\d+$",
        description="AWS region of the MSK cluster, for KAFKA_OAUTH_PROVIDER=msk_iam.",
    )

    @property
    def uses_oauth(self) -> bool:
        """Whether the clients log in with tokens."""
        return (
            self.kafka_security_protocol.startswith("SASL_")
            and self.kafka_sasl_mechanism == OAUTHBEARER
        )

    @field_validator("kafka_oauth_token_url")
    @classmethod
    def _is_encrypted(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.username or parts.password or parts.fragment:
            raise ValueError("must hold no login and no fragment")
        if not parts.hostname or parts.scheme not in {"https", "http"} or not _has_port(parts):
            raise ValueError("must be an address such as https://login.example/oauth2/token")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError(
                "must begin with https://, because the client's secret is sent there; http:// is "
                f"allowed only for {', '.join(_LOOPBACK)}"
            )
        return url

    @field_validator("kafka_oauth_extensions")
    @classmethod
    def _are_extensions(cls, text: str | None) -> str | None:
        for each in (text or "").split(","):
            found = _EXTENSION.fullmatch(each.strip())
            if each.strip() and (found is None or found["name"].lower() == "auth"):
                raise ValueError(
                    "must be name=value, several with commas: a name of letters (not auth), and a "
                    "value without spaces, such as logicalCluster=lkc-1a2b,identityPoolId=pool-3c"
                )
        return text

    @model_validator(mode="after")
    def _has_a_source_of_tokens(self) -> Self:
        if not self.uses_oauth:
            return self
        if self.kafka_oauth_provider == "msk_iam":
            self._check_msk()
        elif missing := self._missing():
            raise ValueError(
                f"KAFKA_SASL_MECHANISM={OAUTHBEARER} needs {', '.join(missing)}; or "
                "KAFKA_OAUTH_PROVIDER=msk_iam for Amazon MSK"
            )
        return self

    def _missing(self) -> list[str]:
        """The variables that client credentials need and that are not set."""
        needed = {
            "KAFKA_OAUTH_TOKEN_URL": self.kafka_oauth_token_url,
            "KAFKA_OAUTH_CLIENT_ID": self.kafka_oauth_client_id,
            "KAFKA_OAUTH_CLIENT_SECRET (or KAFKA_OAUTH_CLIENT_SECRET_FILE)": (
                self.kafka_oauth_client_secret
            ),
        }
        return [name for name, value in needed.items() if not value]

    def _check_msk(self) -> None:
        if self.kafka_oauth_aws_region is None:
            raise ValueError(
                "KAFKA_OAUTH_PROVIDER=msk_iam needs KAFKA_OAUTH_AWS_REGION, such as eu-central-1"
            )
        if self.kafka_security_protocol != "SASL_SSL":
            raise ValueError("KAFKA_OAUTH_PROVIDER=msk_iam needs KAFKA_SECURITY_PROTOCOL=SASL_SSL")
