"""Runs an installation whose services are small fakes; the servers are real.

    python fakes.py '{"directory": …, "ports": {…}, "services": ["gateway", …]}'

Prints a line of JSON for every change, as the foreground command would show it.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from jackfield_cli.local import runtime
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation, Run
from jackfield_cli.local.ports import Ports
from jackfield_cli.local.services import SERVICES, Service
from jackfield_cli.local.supervisor import Backoff

FAKE = '''
"""Says that it is ready, and keeps what it was told."""
import http.server, json, os, pathlib, signal, sys

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

port = int(os.environ["JACKFIELD_OPS_PORT"])
told = {key: value for key, value in os.environ.items() if key.startswith("JACKFIELD_")}
pathlib.Path(os.environ["FAKE_DIRECTORY"], f"{port}.json").write_text(json.dumps(told))
stubborn = "FAKE_STUBBORN" in os.environ
signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: sys.exit(0))
http.server.HTTPServer(("127.0.0.1", port), Health).serve_forever()
'''


def write_fake(directory: Path) -> None:
    """Put the module `fake_service` into the directory."""
    package = directory / "fake_service"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE)


def main(argument: str) -> int:
    """Run until told to stop; 1 when it could not be started."""
    wanted = json.loads(argument)
    services = tuple(
        Service(each.name, "fake_service", each.listeners)
        for each in SERVICES
        if each.name in wanted["services"]
    )
    plan = runtime.Plan(
        installation=Installation(Path(wanted["directory"])),
        ports=Ports(**wanted["ports"]),
        services=services,
        environment=os.environ,
        backoff=Backoff(first_seconds=0.1, longest_seconds=0.5),
        postgres_settings=wanted.get("postgres_settings"),
    )

    def changed(run: Run) -> None:
        print(run.model_dump_json(), flush=True)

    try:
        asyncio.run(runtime.run(plan, changed))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
