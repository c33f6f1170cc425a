"""Registered clients: made here, with secrets that are shown once."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jackfield_common.errors import JackfieldError
from jackfield_common.events import AuditRecorded
from jackfield_common.ids import DEFAULT_TENANT, TenantId, new_id
from jackfield_common.outbox import Outbox
from jackfield_oauth.models import Client, Scope
from jackfield_oauth.repository.clients import Clients
from jackfield_oauth.service.protocol.device import GRANT_TYPE as DEVICE_GRANT
from jackfield_oauth.service.protocol.redirects import problem_with
from jackfield_oauth.service.protocol.server import SCOPES
from jackfield_oauth.service.secrets import CLIENT_SECRET, SecretHash, new_secret

log = structlog.get_logger(__name__)

LOCAL_SCOPES: Final = tuple(scope for scope in Scope if scope is not Scope.SUDO)


class InvalidClientDescription(JackfieldError):
    """A client cannot be registered like this; the text says why."""


class ClientFileError(JackfieldError):
    """The client file cannot be read or written; the text says what to do."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just made. Its secret is not kept: this is the only time it is seen."""

    client: Client
    secret: str = field(repr=False)


class _ClientFile(BaseModel):
    """What stands in the file for local use."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: str = Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
    client_secret: str = Field(min_length=32, max_length=200, pattern=r"^[\x21-\x7e]+$", repr=False)


class ClientRegistry:
    """Makes clients."""

    def __init__(self, outbox: Outbox, clients: Clients, secrets: SecretHash) -> None:
        self._outbox = outbox
        self._clients = clients
        self._secrets = secrets

    async def create(
        self,
        *,
        tenant: TenantId,
        name: str,
        scopes: Sequence[str],
        actor: str,
        redirect_uris: Sequence[str] = (),
        public: bool = False,
        devices: bool = False,
        introspects: bool = False,
    ) -> NewClient:
        """Make a client: with redirect addresses or for devices, people stand behind it; else itself alone.

        A public one has no secret. Raises InvalidClientDescription.
        """
        for scope in scopes:
            if scope not in SCOPES:
                raise InvalidClientDescription(f"unknown scope {scope}: use {' '.join(SCOPES)}")
        for redirect_uri in redirect_uris:
            if problem := problem_with(redirect_uri):
                raise InvalidClientDescription(f"{redirect_uri}: {problem}")
        if public and not redirect_uris and not devices:
            raise InvalidClientDescription("a public client cannot act for itself: add a redirect")
        secret = "" if public else new_secret(CLIENT_SECRET)
        grants = ("authorization_code",) if redirect_uris else ()
        if devices:
            grants = (*grants, DEVICE_GRANT)
        if grants:
            grants = (*grants, "refresh_token")
        client = Client(
            client_id=new_id(),
            tenant=tenant,
            name=name,
            auth_method="none" if public else "client_secret_basic",
            secret_digest=None if public else self._secrets.digest(secret),
            grant_types=grants if public else (*grants, "client_credentials"),
            redirect_uris=tuple(redirect_uris),
            scopes=tuple(dict.fromkeys(scopes)),
            introspects=introspects,
        )
        await self._put(client, actor)
        return NewClient(client, secret)

    async def ensure_local(self, path: Path) -> None:
        """Make the client that `path` describes exist; a missing file is made, with mode 0600.

        Raises ClientFileError.
        """
        described = await asyncio.to_thread(_read_or_make, path)
        known = (await self._clients.find([described.client_id])).get(described.client_id)
        wanted = Client(
            client_id=described.client_id,
            tenant=DEFAULT_TENANT,
            name="local use",
            auth_method="client_secret_basic",
            secret_digest=self._secrets.digest(described.client_secret),
            grant_types=("client_credentials",),
            redirect_uris=(),
            scopes=LOCAL_SCOPES,
            introspects=True,
        )
        if known is None or known.secret_digest != wanted.secret_digest:
            base = wanted if known is None else known
            await self._put(replace(base, secret_digest=wanted.secret_digest), "bootstrap")

    async def _put(self, client: Client, actor: str) -> None:
        async with self._outbox.transaction() as connection:
            await self._clients.put(connection, client)
            audit = AuditRecorded(
                tenant=client.tenant,
                actor=actor,
                operation="client.put",
                resource=f"client:{client.client_id}",
                allowed=True,
                detail={"name": client.name, "scopes": list(client.scopes)},
            )
            await self._outbox.put(connection, audit)
        log.info("client_kept", client_id=client.client_id, name=client.name)


def _read_or_make(path: Path) -> _ClientFile:
    return _read(path) if path.exists() else _make(path)


def _read(path: Path) -> _ClientFile:
    try:
        return _ClientFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ClientFileError(f"{path}: {error.strerror} (JACKFIELD_OAUTH_CLIENT_FILE)") from None
    except ValidationError:
        raise ClientFileError(
            f"{path} has to be JSON with client_id and a client_secret of 32 to 200 characters;"
            " delete it to have one made"
        ) from None


def _make(path: Path) -> _ClientFile:
    made = _ClientFile(client_id=new_id(), client_secret=new_secret(CLIENT_SECRET))
    try:
        write_private(path, json.dumps(made.model_dump(), indent=2))
    except OSError as error:
        raise ClientFileError(f"{path}: {error.strerror} (JACKFIELD_OAUTH_CLIENT_FILE)") from None
    return made


def write_private(path: Path, content: str) -> None:
    """Write a file that its owner alone may read, whole or not at all. Raises OSError."""
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
