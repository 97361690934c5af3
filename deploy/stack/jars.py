"""Downloads Apache Kafka once into the user's cache folder: pinned, verified, all or nothing."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from deploy.stack.errors import DamagedDownload, NoNetwork
from deploy.stack.machine import MEBIBYTE, check_disk
from deploy.stack.progress import Silent, StepDisplay

KAFKA_VERSION = "4.1.1"
_PINS = Path(__file__).with_name("kafka-jars.sha256")
_DOWNLOADS_AT_ONCE = 6
_TIMEOUT_SECONDS = 60
_NEEDED_BYTES = 200 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class Pin:
    """One jar: `coordinates` as `group:artifact:version`."""

    sha256: str
    coordinates: str

    @property
    def file_name(self) -> str:
        """The jar's name in the cache folder."""
        return f"{self.coordinates.replace(':', '_')}.jar"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where Kafka's jars are kept: ORDERFLOW_STACK_CACHE, else the user's cache folder."""
    named = environ.get("ORDERFLOW_STACK_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("orderflow", appauthor=False)


def fetch(cache: Path, display: StepDisplay | None = None) -> Path:
    """Return the folder of the jars, after downloading them where they are missing.

    Safe to run several times at once. Raises NoNetwork, DamagedDownload and DiskFull.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    if folder.is_dir():
        return folder
    check_disk(cache, _NEEDED_BYTES)
    cache.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(cache / f"kafka-{KAFKA_VERSION}.lock"):
        if not folder.is_dir():  # Another process may have downloaded it meanwhile.
            _fetch_all(cache, folder, display or Silent())
    return folder


def pins() -> list[Pin]:
    """Every jar that Kafka is run with."""
    lines = _PINS.read_text(encoding="ascii").splitlines()
    return [Pin(*line.split()) for line in lines if not line.startswith("#")]


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch_all(cache: Path, folder: Path, display: StepDisplay) -> None:
    wanted = pins()
    draft = Path(tempfile.mkdtemp(prefix=".kafka-", dir=cache))
    try:
        with (
            display.step("Fetching Apache Kafka (45 MB, once)", len(wanted)) as done,
            ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as workers,
        ):
            tasks = [workers.submit(_fetch_one, pin, draft) for pin in wanted]
            try:
                for task in as_completed(tasks):
                    task.result()
                    done()
            except BaseException:
                workers.shutdown(wait=False, cancel_futures=True)
                raise
        shutil.rmtree(draft / "maven")
        draft.chmod(0o755)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fetch_one(pin: Pin, draft: Path) -> None:
    fetched = _download(pin, draft / "maven")
    found = hashlib.sha256(fetched.read_bytes()).hexdigest()
    if found != pin.sha256:
        raise DamagedDownload(
            f"{pin.coordinates} arrived with SHA-256 {found} instead of {pin.sha256}: try again; "
            "if it happens twice, something on the way (a proxy, a mirror) changes it"
        )
    fetched.rename(draft / pin.file_name)


def _download(pin: Pin, repository: Path) -> Path:
    import requests
    from jgo.maven import MavenContext

    mirror = os.environ.get("ORDERFLOW_STACK_MAVEN_URL")
    context = MavenContext(
        repo_cache=repository,
        remote_repos={"central": mirror} if mirror else None,
        timeout=_TIMEOUT_SECONDS,
    )
    try:
        return Path(context.create_dependency(pin.coordinates).artifact.resolve())
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise NoNetwork(
            f"Apache Kafka is fetched once and {pin.coordinates} could not be had ({error}): "
            "connect to the network (HTTPS_PROXY for a proxy, ORDERFLOW_STACK_MAVEN_URL for a "
            "mirror of Maven Central) and run this again, or name a Kafka that runs elsewhere in "
            "KAFKA_BOOTSTRAP_SERVERS"
        ) from error
