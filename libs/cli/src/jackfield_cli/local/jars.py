"""Apache Kafka's jar files: resolved by Maven coordinate, pinned by hash.

`kafka.jars` beside this module is the lock: one line a file, coordinate and SHA-256. A fresh
machine downloads exactly these; anything else is refused.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jackfield_cli.local.errors import LocalError

# jgo and what it brings take a quarter of a second to import, and are needed once a machine.
if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka.jars")
ENDPOINT = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
_DOWNLOADS_AT_ONCE = 8
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The file's name in a class path directory."""
        return f"{self.artifact}-{self.version}.jar"


def locked_jars() -> tuple[Jar, ...]:
    """The content of the lock file."""
    jars: list[Jar] = []
    for line in LOCK.read_text().splitlines():
        coordinate, sha256 = line.split()
        group, artifact, version = coordinate.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return tuple(jars)


def kafka_home(cache: Path) -> Path:
    """The directory under `cache` where this lock's jars are, or would be."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    return cache / f"kafka-{digest}"


def installed(cache: Path) -> bool:
    """Whether every jar is there. Their hashes were checked when they were put there."""
    home = kafka_home(cache)
    return home.is_dir() and all((home / jar.file_name).is_file() for jar in locked_jars())


def install(cache: Path, progress: Callable[[int, int], None] = lambda _done, _of: None) -> Path:
    """Make the jars available under `cache` and return their directory.

    Downloads what is missing into a directory beside it, checks every hash, and renames it into
    place, so that a killed download leaves nothing half done. `progress` hears (done, of) in
    files. Raises `LocalError` without a network or when a file is not what the lock says.
    """
    home = kafka_home(cache)
    if installed(cache):
        return home
    import requests
    from jgo.maven import MavenContext

    jars = locked_jars()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="download-", dir=cache) as scratch:
            ready = Path(scratch) / "ready"
            ready.mkdir()
            context = MavenContext(
                repo_cache=Path(scratch) / "repository",
                remote_repos={"central": _repository()},
                timeout=_TIMEOUT_SECONDS,
            )
            with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
                downloads = [pool.submit(_fetch, context, jar, ready) for jar in jars]
                try:
                    for done, download in enumerate(downloads, start=1):
                        download.result()
                        progress(done, len(jars))
                finally:
                    pool.shutdown(cancel_futures=True)
            _move_into_place(ready, home)
    except (requests.RequestException, RuntimeError) as error:
        raise LocalError(
            f"Apache Kafka could not be downloaded: {error}.",
            "Check the network (and HTTPS_PROXY), or set JACKFIELD_MAVEN_REPOSITORY to a mirror, "
            "or JACKFIELD_KAFKA_BOOTSTRAP_SERVERS to a Kafka that already runs.",
        ) from error
    except OSError as error:
        raise LocalError(
            f"Apache Kafka could not be stored in {cache}: {error.strerror or error}.",
            "It needs 60 MB there; JACKFIELD_CACHE_DIR names another place.",
        ) from error
    return home


def _repository() -> str:
    from jgo.constants import MAVEN_CENTRAL_URL

    return os.environ.get("JACKFIELD_MAVEN_REPOSITORY") or MAVEN_CENTRAL_URL


def _fetch(context: "MavenContext", jar: Jar, into: Path) -> None:
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    path = component.artifact().resolve()
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise LocalError(
            f"{jar.file_name} is not the file the lock names: SHA-256 {found}.",
            "The download was cut short or altered on its way. Try again from another network.",
        )
    shutil.move(path, into / jar.file_name)


def _move_into_place(ready: Path, home: Path) -> None:
    try:
        ready.rename(home)
    except OSError:
        # Another process was quicker, or files were removed from an older installation.
        home.mkdir(exist_ok=True)
        for file in ready.iterdir():
            file.replace(home / file.name)


def write_lock() -> None:
    """Resolve `ENDPOINT` with all it needs at run time, and write the lock file anew."""
    from jgo.maven import MavenContext
    from jgo.parse import Endpoint

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(
            repo_cache=Path(scratch), remote_repos={"central": _repository()}, timeout=60
        )
        wanted = [
            context.create_dependency(replace(coordinate, scope="compile"))
            for coordinate in Endpoint.parse(ENDPOINT).coordinates
        ]
        roots, transitive = context.resolver.resolve(wanted)
        needed = [*roots, *(each for each in transitive if each.scope in ("compile", "runtime"))]
        lines: list[str] = []
        for artifact in (each.artifact for each in needed):
            sha256 = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
            lines.append(f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {sha256}\n")
    LOCK.write_text("".join(sorted(lines)))


if __name__ == "__main__":
    write_lock()
    sys.exit(0)
