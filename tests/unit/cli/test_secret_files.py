import re
from pathlib import Path

from jackfield_cli.local.secret_files import kept, new_api_key, new_password


def test_a_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "api-key"
    first = kept(path, new_api_key)
    assert kept(path, new_api_key) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_kill_while_writing_leaves_no_empty_secret(tmp_path: Path) -> None:
    path = tmp_path / "api-key"
    path.with_name("api-key.partial").write_text("half")
    assert kept(path, lambda: "whole") == "whole"


def test_an_api_key_has_its_form() -> None:
    keys = {new_api_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"jf_[A-Za-z0-9_-]{43}", key) for key in keys)


def test_a_password_needs_no_quoting() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", new_password()) for _ in range(100))
