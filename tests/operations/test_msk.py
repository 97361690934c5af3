"""Tokens for Amazon MSK by Amazon's own signer, in an environment with the extra `msk`.

Without AWS: what is tested is the form of the token and its signature, computed here once more.
"""

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

REGION = "eu-central-1"
KEY, SECRET = "AKIDEXAMPLE", "the-secret-of-a-role"
SECONDS = 300
ASK = """
import asyncio, json
from services.runtime.config.settings import Settings
from services.runtime.kafka.tokens.provider import token_provider
from services.runtime.kafka.tokens.msk_iam import MskIam
settings = Settings.from_environment()
async def ask():
    token = await MskIam.of(settings).fetch()
    same = await token_provider(settings).token(), await token_provider(settings).token()
    return {"token": token.value, "seconds": token.lifetime_seconds, "same": len(set(same)) == 1}
print(json.dumps(asyncio.run(ask())))
"""
pytestmark = pytest.mark.timeout(SECONDS)


@pytest.fixture(scope="session")
def python(project_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has what deploy/requirements-msk.lock pins, and no more."""
    folder = tmp_path_factory.mktemp("msk") / "venv"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv is not None, "uv is part of `make setup`"
    lock = project_folder / "deploy" / "requirements-msk.lock"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    install = [uv, "pip", "install", "-q", "--require-hashes", "-r", lock]
    subprocess.run([*install, "--python", folder / "bin" / "python"], check=True, timeout=SECONDS)
    return folder / "bin" / "python"


@pytest.fixture
def variables(project_folder: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that logs in to MSK; no credentials, and no server of AWS."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(project_folder),
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "KAFKA_OAUTH_PROVIDER": "msk_iam",
        "KAFKA_OAUTH_AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _asked(python: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-c", ASK], env=dict(variables), capture_output=True, text=True, check=False
    )


def _signature(query: Mapping[str, str]) -> str:
    """The signature (AWS Signature Version 4) of a request with these parameters."""
    names = sorted(query)
    canonical = "&".join(f"{quote(n, safe='')}={quote(query[n], safe='')}" for n in names)
    host, empty = f"kafka.{REGION}.amazonaws.com", hashlib.sha256().hexdigest()
    request = f"GET\n/\n{canonical}\nhost:{host}\n\nhost\n{empty}"
    scope = query["X-Amz-Credential"].split("/", 1)[1]
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def test_msk_token_is_an_address_signed_with_the_credentials_of_the_process(
    python: Path, variables: dict[str, str]
) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    done = _asked(python, variables | credentials)

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    token = answer["token"]
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    query = dict(parse_qsl(url.query))
    found, _agent = query.pop("X-Amz-Signature"), query.pop("User-Agent")
    assert (url.scheme, url.netloc) == ("https", f"kafka.{REGION}.amazonaws.com")
    assert query["Action"] == "kafka-cluster:Connect"
    assert query["X-Amz-Credential"].split("/")[0::2] == [KEY, REGION, "aws4_request"]
    assert found == _signature(query)
    assert 800 < answer["seconds"] <= int(query["X-Amz-Expires"])
    assert answer["same"], "clients of a process share a token"
    assert SECRET not in done.stdout + done.stderr


def test_msk_without_credentials_says_what_is_missing(
    python: Path, variables: dict[str, str]
) -> None:
    done = _asked(python, variables)

    assert done.returncode == 1
    assert "no token for MSK from the AWS credentials of this process (none found)" in done.stderr
