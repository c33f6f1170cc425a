import gc
import hashlib
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from jackfield_cli.local import jars
from jackfield_cli.local.errors import LocalError

# jgo leaves the connections of refused downloads to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven repository with one file in it, and a lock that names this file."""
    content = b"a jar"
    place = tmp_path / "repository"
    file = place / "org/example/thing/1.0/thing-1.0.jar"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    lock = tmp_path / "lock"
    lock.write_text(f"org.example:thing:1.0 {hashlib.sha256(content).hexdigest()}\n")
    monkeypatch.setattr(jars, "LOCK", lock)
    return file


@pytest.fixture(autouse=True)
def served(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    handler = partial(Quiet, directory=str(repository.parents[4]))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("JACKFIELD_MAVEN_REPOSITORY", address)
        yield
        server.shutdown()
        thread.join()
    gc.collect()  # here, where what it finds is expected


def test_what_the_lock_names_is_downloaded_once(tmp_path: Path, repository: Path) -> None:
    cache = tmp_path / "cache"
    heard: list[tuple[int, int]] = []
    home = jars.install(cache, lambda done, of: heard.append((done, of)))
    assert (home / "thing-1.0.jar").read_bytes() == b"a jar"
    assert heard == [(1, 1)]
    assert [each.name for each in cache.iterdir()] == [home.name]
    repository.unlink()
    assert jars.install(cache) == home


def test_another_file_than_the_locks_is_refused(tmp_path: Path, repository: Path) -> None:
    repository.write_bytes(b"a jar with something added")
    with pytest.raises(LocalError, match="is not the file the lock names"):
        jars.install(tmp_path / "cache")
    assert not jars.installed(tmp_path / "cache")


def test_a_repository_that_lacks_it_is_one_clear_error(tmp_path: Path, repository: Path) -> None:
    repository.unlink()
    with pytest.raises(LocalError, match="could not be downloaded") as raised:
        jars.install(tmp_path / "cache")
    assert "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS" in raised.value.remedy


def test_a_file_removed_from_the_cache_is_fetched_again(tmp_path: Path) -> None:
    home = jars.install(tmp_path / "cache")
    (home / "thing-1.0.jar").unlink()
    assert not jars.installed(tmp_path / "cache")
    assert jars.install(tmp_path / "cache") == home
    assert jars.installed(tmp_path / "cache")
