"""`python -m jackfield_common.prepare DIRECTORY`: the keys and the API key of a new deployment.

Makes what is missing and leaves what is there: `keys/` for JACKFIELD_KEYS_DIR, `api-key` for
JACKFIELD_API_KEY_FILE. Both belong into the platform's secret store; this is for compose and for tests.
"""

import argparse
import os
import secrets
from pathlib import Path

from jackfield_common.sealing import create_missing_keys


def prepare(directory: Path, owner: int | None = None) -> None:
    """Make the missing files; `owner` is the numeric user that the services run as."""
    create_missing_keys(directory / "keys")
    api_key = directory / "api-key"
    if not api_key.exists():
        partial = directory / "api-key.partial"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"jf_{secrets.token_urlsafe(32)}")
        partial.replace(api_key)
    if owner is not None:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, owner, owner)


def main() -> None:
    """Read the arguments and prepare."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m jackfield_common.prepare")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--owner", type=int, help="numeric user id to hand the files to")
    arguments = parser.parse_args()
    prepare(arguments.directory, arguments.owner)


if __name__ == "__main__":
    main()
