"""Credentials, as the vault publishes them: verified, opened, and held for as long as they are current."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from jackfield_common.errors import ErrorKind, Failure, StaleRead
from jackfield_common.events.credential import CredentialState
from jackfield_common.events.integration import IntegrationState
from jackfield_common.sealing import Keys, SealError
from jackfield_common.state import ReadModel
from jackfield_common.topics import Service

MAX_OPEN: Final = 4096
"""How many opened credentials are kept in memory."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What to sign in with: the kind of sign-in, and its fields."""

    auth: str
    fields: Mapping[str, str] = field(repr=False)
    version: int = 0


NOTHING: Final = Credential("none", {})


class Credentials:
    """Opens credentials for the engine."""

    def __init__(self, states: ReadModel[CredentialState], keys: Keys) -> None:
        self._states = states
        self._keys = keys
        self._open: OrderedDict[str, Credential] = OrderedDict()

    async def current(self, integration: IntegrationState, wait: float) -> Credential:
        """The credential, at least at the version that the integration's state names.

        It is waited for at most `wait` seconds; then Failure(UNAVAILABLE): it is on its way. Raises
        Failure(BUG) for one that the vault did not sign, or that belongs to another integration.
        """
        if integration.credential_version == 0:
            return NOTHING
        return await self._at_least(integration, integration.credential_version, wait)

    async def newer(
        self, integration: IntegrationState, than: Credential, wait: float
    ) -> Credential | None:
        """The next version of a credential that was refused; None when it does not come in time."""
        try:
            return await self._at_least(integration, than.version + 1, wait)
        except Failure as failure:
            if failure.kind is ErrorKind.UNAVAILABLE:
                return None
            raise

    async def _at_least(
        self, integration: IntegrationState, version: int, wait: float
    ) -> Credential:
        key = integration.integration_id
        try:
            state = await self._states.wait_for(key, version, wait)
        except StaleRead:
            raise Failure(
                ErrorKind.UNAVAILABLE,
                f"version {version} of the credential has not arrived from the vault",
                retry_after=1.0,
            ) from None
        known = self._open.get(key)
        if known is not None and known.version == state.version:
            self._open.move_to_end(key)
            return known
        opened = self._opened(integration, state)
        self._open[key] = opened
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)
        return opened

    def _opened(self, integration: IntegrationState, state: CredentialState) -> Credential:
        try:
            claims = self._keys.verify(Service.OAUTH, state.token)
            expected = {
                "integration_id": integration.integration_id,
                "tenant": integration.tenant,
                "version": state.version,
            }
            if any(claims.get(name) != value for name, value in expected.items()):
                raise SealError("it was made for another integration or version")
            jwe = claims.get("jwe")
            if not isinstance(jwe, str):
                raise SealError("it holds nothing sealed")
            return _read(self._keys.open_token(jwe), state.version)
        except (SealError, ValueError) as error:
            raise Failure(ErrorKind.BUG, f"the credential cannot be used: {error}") from None


def _read(content: bytes, version: int) -> Credential:
    try:
        document: JsonValue = json.loads(content)
    except ValueError:
        raise SealError("it is not JSON") from None  # the parser's own words quote the content
    if not isinstance(document, dict):
        raise SealError("it is not an object")
    auth, fields = document.get("auth"), document.get("fields")
    if not isinstance(auth, str) or not isinstance(fields, dict):
        raise SealError("it lacks auth or fields")
    return Credential(auth, {k: v for k, v in fields.items() if isinstance(v, str)}, version)
