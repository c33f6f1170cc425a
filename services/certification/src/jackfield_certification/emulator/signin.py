"""The vendor's door: invented credentials, and which of them a request presents."""

import base64
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jackfield_certification.emulator.matching import ArrivedRequest
from jackfield_certification.emulator.recording import encoded_path
from jackfield_common.connector.auth import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    KeyHeaders,
    NoAuth,
    OAuth2,
    SecretUrl,
)
from jackfield_common.connector.fields import FormField
from jackfield_common.errors import JackfieldError

MARK: Final = "jfcert"
"""Stands in every invented secret, so that one is known again wherever it turns up."""


class NoSyntheticValue(JackfieldError):
    """No invented value fits a field's pattern."""


@dataclass(frozen=True, slots=True)
class Credential:
    """An invented credential: what is typed into the form of one way to sign in."""

    auth: Auth
    fields: Mapping[str, str] = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must appear nowhere but at the vendor."""
        return tuple(
            self.fields[one.name]
            for one in self.auth.fields
            if one.type == "password" and one.name in self.fields
        )


def invent(auth: Auth, address: str) -> Credential:
    """A credential for this way to sign in; `address` is the emulator's, where the secret is a URL.

    Raises NoSyntheticValue.
    """
    if isinstance(auth, SecretUrl):
        values = {auth.fields[0].name: f"{address.rstrip('/')}/{MARK}-{secrets.token_hex(16)}"}
        rest = auth.fields[1:]
    else:
        values = {}
        rest = auth.fields
    wanted = [one for one in rest if one.required or one.name == "access_token"]
    return Credential(auth, values | {one.name: _value(one, address) for one in wanted})


def _value(one: FormField, address: str) -> str:
    candidates = (
        f"{MARK}-{secrets.token_hex(16)}",
        f"{MARK}{secrets.token_hex(14)}",
        secrets.token_hex(16),
        secrets.token_hex(20),
        f"{MARK}-{secrets.token_hex(4)}@example.com",
        str(secrets.randbelow(10**12) + 10**12),
    )
    if one.type == "url":
        candidates = (f"{address.rstrip('/')}/{MARK}-{secrets.token_hex(8)}",)
    for candidate in candidates:
        if one.pattern is None or re.search(one.pattern, candidate):
            return candidate
    raise NoSyntheticValue(
        f"no invented value fits the pattern of the credential field {one.name}: {one.pattern}"
    )


class Door:
    """Who may come in. Credentials can be admitted and expelled while the vendor runs."""

    def __init__(self) -> None:
        self._admitted: dict[str, Credential] = {}
        self.open = False
        """Everyone comes in: for a vendor without sign-in, or one that is not to look."""

    def admit(self, credential: Credential) -> None:
        """Accept this credential, instead of an earlier one of the same kind."""
        if isinstance(credential.auth, NoAuth):
            self.open = True
        self._admitted[credential.auth.kind] = credential

    def expel(self, kind: str) -> None:
        """Accept no credential of this kind any more, as after a revocation."""
        self._admitted.pop(kind, None)

    def who(self, request: ArrivedRequest) -> str | None:
        """The kind of sign-in whose credential the request presents; None for a stranger."""
        for kind, credential in self._admitted.items():
            if presents(credential, request):
                return kind
        return "none" if self.open else None

    def inner_path(self, path: str) -> str:
        """The path without the part that is a secret."""
        for credential in self._admitted.values():
            auth = credential.auth
            if isinstance(auth, SecretUrl):
                secret_path = _secret_path(credential)
                if path == secret_path or path.startswith(secret_path + "/"):
                    return path[len(secret_path) :] or "/"
            if isinstance(auth, ApiKey) and auth.place == "path":
                key = auth.prefix + credential.fields[auth.fields[0].name]
                if key in path:
                    return path.replace(key, encoded_path("/{" + auth.name + "}")[1:])
        return path

    def query_names(self) -> frozenset[str]:
        """Query parameters that carry a credential."""
        return frozenset(
            credential.auth.name
            for credential in self._admitted.values()
            if isinstance(credential.auth, ApiKey) and credential.auth.place == "query"
        )

    def secrets(self) -> Iterable[str]:
        """Every secret value that was admitted and not expelled."""
        for credential in self._admitted.values():
            yield from credential.secrets


def presents(credential: Credential, request: ArrivedRequest) -> bool:
    """Whether the request carries exactly this credential, at the place that its kind says."""
    auth, fields = credential.auth, credential.fields
    match auth:
        case NoAuth():
            return False
        case Bearer():
            return _authorization(request) == f"{auth.prefix} {fields[auth.fields[0].name]}".strip()
        case OAuth2():
            return _authorization(request) == f"{auth.prefix} {fields['access_token']}".strip()
        case ApiKey():
            wanted = auth.prefix + fields[auth.fields[0].name]
            match auth.place:
                case "query":
                    return (auth.name, wanted) in request.query
                case "header":
                    return request.headers.get(auth.name.lower()) == wanted
                case "path":
                    return wanted in request.path
        case KeyHeaders():
            return all(
                request.headers.get(header.lower()) == fields[name]
                for header, name in auth.headers.items()
                if name in fields
            )
        case Basic():
            given = [fields[one.name] for one in auth.fields[:2]]
            user, password = (*given, "")[:2]
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            return _authorization(request) == f"Basic {token}"
        case SecretUrl():
            secret_path = _secret_path(credential)
            return request.path == secret_path or request.path.startswith(secret_path + "/")


def _authorization(request: ArrivedRequest) -> str:
    return request.headers.get("authorization", "")


def _secret_path(credential: Credential) -> str:
    address = credential.fields[credential.auth.fields[0].name]
    return "/" + address.split("://", 1)[-1].partition("/")[2].rstrip("/")
