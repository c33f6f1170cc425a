"""Connections: signing in at a vendor, and what the vault says of a credential."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from jackfield_common.errors import ErrorKind, NotReady
from jackfield_common.events.credential import ConnectionCompleted, ConnectionRequested
from jackfield_common.events.integration import SealedSecret
from jackfield_common.events.message import now
from jackfield_common.events.question import Answer
from jackfield_common.sealing import Keys
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.integration import Authorization, CredentialStatus, Integration
from jackfield_gateway.models.problem import Conflict, invalid
from jackfield_gateway.repository.store import Store
from jackfield_gateway.service.addresses import Addresses
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.configuration import webhook_path
from jackfield_gateway.service.installations import absent
from jackfield_gateway.service.ports import Asker

OAUTH2: Final = "oauth2"
LINK_LIFETIME: Final = timedelta(minutes=10)
VAULT_TIMEOUT: Final = 10.0
"""Seconds that the vault has to answer."""


class Connections:
    """The state of credentials, as the vault tells it."""

    def __init__(self, store: Store, keys: Keys, questions: Asker, addresses: Addresses) -> None:
        self._store = store
        self._keys = keys
        self._questions = questions
        self._addresses = addresses

    async def authorize(
        self, actor: Actor, integration_id: str, return_to: str | None
    ) -> Authorization:
        """A link that the user opens to sign in at the vendor (RFC 6749, 4.1); it lives ten minutes.

        Raises Absent, Conflict where there is nothing to sign in with, Invalid for a `return_to` that
        is no address to go back to, NotReady.
        """
        if return_to is not None:
            await self._check_return(return_to)
        asked_at = now()
        with self._questions.ask(VAULT_TIMEOUT) as asked:
            async with self._store.transaction() as tx:
                one = await tx.integrations.lock(actor.tenant, integration_id)
                if one is None:
                    raise absent(integration_id)
                if one.auth != OAUTH2 or one.credential_version == 0:
                    raise Conflict(
                        "There is no OAuth client to sign in with: give client_id and client_secret"
                        " through POST /api/marketplace/configure."
                    )
                # Through the outbox, behind the client id and secret that may still be on their way.
                await tx.publish(
                    ConnectionRequested(
                        tenant=one.tenant,
                        integration_id=one.integration_id,
                        connector=one.connector,
                        auth=OAUTH2,
                        credential_version=one.credential_version,
                        authorize=True,
                        return_to=return_to,
                        question=asked.question,
                    )
                )
                resource = f"integration:{one.integration_id}"
                await tx.publish(allowed(actor, "integration.authorize", resource))
            try:
                answer = await asked.answer()
            except TimeoutError:
                raise NotReady("the vault did not answer in time", retry_after=2) from None
        return Authorization(url=self._link(answer), expires_at=asked_at + LINK_LIFETIME)

    async def completed(self, event: ConnectionCompleted) -> None:
        """Keep what became of a credential; workers are told when there is a newer one.

        Raises NotReady while PostgreSQL is away.
        """
        async with self._store.transaction() as tx:
            one = await tx.integrations.lock(event.tenant, event.integration_id)
            if one is None or event.credential_version < one.credential_version:
                return  # removed since, or a newer credential was given
            told = _told(one, event)
            if told == one:
                return
            if told.credential_version > one.credential_version:
                told = told.model_copy(update={"version": one.version + 1, "updated_at": now()})
                await tx.publish(told.state())
            await tx.integrations.update(told, webhook_path(told.config))

    def _link(self, answer: Answer) -> str:
        if not answer.success:
            raise Conflict(answer.message)
        data = answer.data or {}
        if "authorization" not in data:
            raise Conflict("This integration needs no sign-in at the vendor.")
        return self._keys.open(SealedSecret.model_validate(data["authorization"])).decode()

    async def _check_return(self, address: str) -> None:
        # Loopback for programs on the user's own machine (RFC 8252, 7.3).
        parts = urlsplit(address)
        if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
            return
        if (objection := await self._addresses.objection(address)) is not None:
            raise invalid("return_to", objection)


def _told(one: Integration, event: ConnectionCompleted) -> Integration:
    status = _status(one, event)
    # A refusal did not get as far as a version, and one that changes nothing has nothing to say.
    version = event.credential_version if event.success else one.credential_version
    if status == one.credential_status and version == one.credential_version:
        return one
    return one.model_copy(
        update={
            "credential_version": version,
            "credential_status": status,
            "credential_message": event.message.replace("\x00", ""),
        }
    )


def _status(one: Integration, event: ConnectionCompleted) -> CredentialStatus:
    current = one.credential_status
    undecided = current in ("none", "pending", "failed")
    if not event.success:
        if event.error is ErrorKind.AUTH:
            return "reconnect"
        return "failed" if undecided else current
    newer = event.credential_version > one.credential_version
    if newer or undecided:
        return "stored" if event.authorization is None else "sign_in"
    return current  # a link was offered once more, or the same was asked twice


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
