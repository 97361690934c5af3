"""Files with secrets of senders."""

import pytest

from services.gateway.access.secret_files import read_secrets
from services.runtime.config.environment import SettingsError

SENDERS = ("aftership", "easypost")


def test_secrets_are_found_by_the_names_of_files(tmp_path):
    (tmp_path / "aftership").write_text("secret-of-now\n")
    (tmp_path / "aftership.old").write_text("secret-before")
    (tmp_path / "easypost").write_text("another-secret")
    (tmp_path / "..data").mkdir()
    (tmp_path / ".hidden").write_text("x")

    assert read_secrets(tmp_path, SENDERS) == {
        "aftership": ("secret-of-now", "secret-before"),
        "easypost": ("another-secret",),
    }
    assert read_secrets(None, SENDERS) == {}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("afterhsip", b"secret-of-now", "named for no known sender; there are aftership, easypost"),
        ("aftership", b"", "must hold one secret of at least 8 characters"),
        ("aftership", b"short", "must hold one secret of at least 8 characters"),
        ("aftership", b"x" * 5_000, "in at most 4096 bytes"),
        ("aftership", b"\xff\xfe-secret", "is not UTF-8"),
    ],
)
def test_file_that_is_no_secret_is_named_and_its_content_is_not(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SettingsError, match=said) as error:
        read_secrets(tmp_path, SENDERS)

    assert str(tmp_path / name) in str(error.value)
    assert not content or content.decode("latin-1") not in str(error.value)


def test_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read .*none"):
        read_secrets(tmp_path / "none", SENDERS)
