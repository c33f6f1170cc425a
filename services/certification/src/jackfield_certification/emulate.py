"""`python -m jackfield_certification emulate`: a vendor on this machine, without any service running."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, cast

from pydantic import ValidationError

from jackfield_certification.emulator import Call, RecordingError, VendorEmulator, invent
from jackfield_certification.emulator.faults import SPELLING_HELP, plan_from_text
from jackfield_common.connector.auth import SecretUrl
from jackfield_common.connector.manifest import Manifest

MANIFESTS: Final = "jackfield.manifests"
"""Entry points that yield the manifests of installed catalogues: `() -> Iterable[Manifest]`."""

_EXIT_USAGE: Final = 2


class NoManifest(Exception):
    """There is no manifest to emulate by; the text says where one was looked for."""


def find_manifest(named: str) -> Manifest:
    """The manifest in a JSON file, or of a connector in an installed catalogue. Raises NoManifest."""
    path = Path(named)
    if path.suffix == ".json":
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except OSError as error:
            raise NoManifest(f"{path}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise NoManifest(f"{path} is not a manifest: {where}: {first['msg']}") from None
    known: set[str] = set()
    for entry in entry_points(group=MANIFESTS):
        catalogue = cast(Callable[[], Sequence[Manifest]], entry.load())
        for manifest in catalogue():
            if manifest.slug == named:
                return manifest
            known.add(manifest.slug)
    listed = ", ".join(sorted(known)) or "no catalogue is installed"
    raise NoManifest(
        f"there is no connector {named!r} ({listed}); a path to a manifest as JSON works"
    )


async def emulate(manifest: Manifest, faults: Sequence[str], host: str, port: int) -> None:
    """Serve until the process is told to end. Raises ValueError for a fault, OSError for the port."""
    vendor = VendorEmulator(manifest, host=host, port=port)
    for fault in faults:
        plan_from_text(vendor.faults, fault)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    async with vendor:
        _print(
            {
                "connector": manifest.slug,
                "base_url": vendor.base_url(),
                "routes": len(vendor.routes.recordings),
                "faults": list(faults),
            }
        )
        for auth in manifest.auth:
            credential = invent(auth, vendor.address)
            vendor.door.admit(credential)
            kind = "webhook address" if isinstance(auth, SecretUrl) else auth.kind
            _print({"sign_in": kind, **credential.fields})
        shown = asyncio.create_task(_show(vendor))
        await ended.wait()
        shown.cancel()


async def _show(vendor: VendorEmulator) -> None:
    mark = vendor.calls.mark
    while True:
        for call in await vendor.calls.wait_for(1, mark, 3_600):
            _print(_line(call))
            mark += 1


def _line(call: Call) -> dict[str, object]:
    return {
        "call": f"{call.request.method} {call.request.path}",
        "status": call.status,
        "understood_as": call.recording or call.action,
        "signed_in": call.sign_in,
        "fault": call.fault,
        "differences": list(call.differences),
    }


def _print(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m jackfield_certification emulate",
        description="Play a vendor over HTTP, from its connector's manifest. Prints one JSON object a"
        " line: where it listens, the credentials it accepts, and every call it gets.",
    )
    parser.add_argument("connector", help="a connector's slug, or a path to a manifest as JSON")
    parser.add_argument(
        "--fault", action="append", default=[], help=SPELLING_HELP.replace("%", "%%")
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free port")
    given = parser.parse_args(arguments)
    try:
        manifest = find_manifest(given.connector)
        asyncio.run(emulate(manifest, given.fault, given.host, given.port))
    except (NoManifest, RecordingError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return _EXIT_USAGE
    return 0
