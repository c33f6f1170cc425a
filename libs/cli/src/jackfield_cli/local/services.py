"""The services as data: which module each is, which ports and settings it gets."""

import http.client
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ValidationError

from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.ports import LOOPBACK, Ports
from jackfield_cli.local.process import Program

_PROBE_SECONDS = 1.0
_START_SECONDS = 120.0
EXIT_CONFIGURATION = 78
"""A service ends with this when it cannot run as configured (sysexits.h, EX_CONFIG)."""


@dataclass(frozen=True)
class Service:
    """One service of the product, run as `python -m <module>`.

    `listeners` maps an environment variable to the field of `Ports` that it is given.
    """

    name: str
    module: str
    listeners: Mapping[str, str]

    @property
    def ops(self) -> str:
        """The field of `Ports` for health and metrics."""
        return f"{self.name}_ops"


SERVICES: tuple[Service, ...] = (
    Service(
        "gateway",
        "jackfield_gateway",
        {"JACKFIELD_API_PORT": "api", "JACKFIELD_WEBHOOK_PORT": "webhook"},
    ),
    Service("oauth", "jackfield_oauth", {"JACKFIELD_OAUTH_PORT": "oauth"}),
    Service("webhooks", "jackfield_webhooks", {}),
    Service("connectors", "jackfield_connectors", {}),
    Service("certification", "jackfield_certification", {}),
)


@dataclass(frozen=True)
class Surroundings:
    """What the services are told about where they run."""

    ports: Ports
    kafka_bootstrap_servers: str
    postgres_dsns: Mapping[str, str]
    keys_directory: Path
    api_key_file: Path
    oauth_client_file: Path


def program(
    service: Service, surroundings: Surroundings, environment: Mapping[str, str]
) -> Program:
    """The service as a program. What `environment` says about tunable settings is kept."""
    port = surroundings.ports.as_dict()[service.ops]
    return Program(
        name=service.name,
        argv=(sys.executable, "-m", service.module),
        waits_for=lambda: not_ready(port),
        hopeless=frozenset({EXIT_CONFIGURATION}),
        start_seconds=_START_SECONDS,
        environment={
            **_defaults(surroundings, environment),
            **_assigned(service, surroundings),
        },
    )


def _assigned(service: Service, surroundings: Surroundings) -> dict[str, str]:
    ports = surroundings.ports.as_dict()
    assigned = {
        "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": surroundings.kafka_bootstrap_servers,
        "JACKFIELD_POSTGRES_DSN": surroundings.postgres_dsns[service.name],
        "JACKFIELD_KEYS_DIR": str(surroundings.keys_directory),
        "JACKFIELD_OPS_HOST": LOOPBACK,
        "JACKFIELD_OPS_PORT": str(ports[service.ops]),
        "PYTHONUNBUFFERED": "1",
        **{variable: str(ports[field]) for variable, field in service.listeners.items()},
    }
    if service.name == "oauth":
        assigned["JACKFIELD_OAUTH_CLIENT_FILE"] = str(surroundings.oauth_client_file)
    if service.name in ("gateway", "certification"):
        assigned["JACKFIELD_API_KEY_FILE"] = str(surroundings.api_key_file)
    if service.name == "certification":
        assigned["JACKFIELD_API_URL"] = f"http://{LOOPBACK}:{ports['api']}"
        assigned["JACKFIELD_WEBHOOK_URL"] = f"http://{LOOPBACK}:{ports['webhook']}"
    return assigned


def _defaults(surroundings: Surroundings, environment: Mapping[str, str]) -> dict[str, str]:
    ports = surroundings.ports
    defaults = {
        "JACKFIELD_PUBLIC_URL": f"http://{LOOPBACK}:{ports.webhook}",
        "JACKFIELD_ISSUER": f"http://{LOOPBACK}:{ports.oauth}",
        "JACKFIELD_EGRESS_ALLOW": "127.0.0.0/8,::1/128",
        "JACKFIELD_LOG_FORMAT": "json",
    }
    return {key: environment.get(key) or value for key, value in defaults.items()}


def require_modules(services: tuple[Service, ...]) -> None:
    """Raise `LocalError` when the code of a service is not installed."""
    missing = [each.module for each in services if not runnable(each.module)]
    if missing:
        raise LocalError(
            f"Not installed: {', '.join(missing)}.", "Run `make environment` to install it again."
        )


def runnable(module: str) -> bool:
    """Whether `python -m <module>` would find something to run."""
    return find_spec(module) is not None and find_spec(f"{module}.__main__") is not None


def not_ready(ops_port: int) -> str | None:
    """What the service on this ops port still waits for; None when it is ready."""
    connection = http.client.HTTPConnection(LOOPBACK, ops_port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        body = response.read(65_536)
    except (OSError, http.client.HTTPException):
        return f"answer on {LOOPBACK}:{ops_port}"
    finally:
        connection.close()
    if response.status == http.HTTPStatus.OK:
        return None
    return _reason(body) or f"status 200 of /health/ready (now {response.status})"


class _Readiness(BaseModel):
    """What a readiness answer may say about what is missing."""

    waiting_for: tuple[str, ...] = ()
    detail: str = ""


def _reason(body: bytes) -> str | None:
    try:
        answer = _Readiness.model_validate_json(body)
    except ValidationError:
        return None
    return ", ".join(answer.waiting_for) or answer.detail or None
