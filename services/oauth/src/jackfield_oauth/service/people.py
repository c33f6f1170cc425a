"""People: invited by a link, signed in with a password, known by a browser's session."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from jackfield_common.errors import JackfieldError
from jackfield_common.events import AuditRecorded
from jackfield_common.events.message import now
from jackfield_common.ids import TenantId, new_id
from jackfield_common.outbox import Outbox
from jackfield_oauth.models import Invitation, Person, Role, SignedIn
from jackfield_oauth.repository.people import People
from jackfield_oauth.service.passwords import MAX_LENGTH, MIN_LENGTH, Passwords
from jackfield_oauth.service.secrets import SecretHash, new_secret

log = structlog.get_logger(__name__)

INVITATION_PATH: Final = "/invitation"
INVITATION_LIFETIME: Final = timedelta(days=7)
SESSION_LIFETIME: Final = timedelta(hours=12)
_INVITATION: Final = "jf_in_"
_SESSION: Final = "jf_se_"
_EMAIL: Final = re.compile(r"^[^\s@\x00-\x1f]{1,64}@[^\s@\x00-\x1f]{1,190}$")
_WINDOW_SECONDS: Final = 900.0
_FAILURES_OF_ADDRESS: Final = 10
_FAILURES_FROM_HOST: Final = 50


class Rejected(JackfieldError):
    """What a person entered cannot be used; the text says what to do."""


class LockedOut(Rejected):
    """Too many sign-ins failed lately."""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session, just started; `secret` goes into its cookie."""

    secret: str = field(repr=False)
    person: Person


class Membership:
    """Invites people and signs them in."""

    def __init__(
        self, issuer: str, outbox: Outbox, people: People, secrets: SecretHash, passwords: Passwords
    ) -> None:
        self._issuer = issuer
        self._outbox = outbox
        self._people = people
        self._secrets = secrets
        self._passwords = passwords

    async def invite(self, *, tenant: TenantId, role: Role, email: str | None, actor: str) -> str:
        """A link that lives a week and makes one user. Raises Rejected for a wrong address."""
        if email is not None and not _EMAIL.match(email):
            raise Rejected("That is no e-mail address.")
        token = new_secret(_INVITATION)
        invitation = Invitation(
            token_digest=self._secrets.digest(token),
            tenant=tenant,
            email=email,
            role=role,
            expires_at=now() + INVITATION_LIFETIME,
        )
        async with self._outbox.transaction() as connection:
            await self._people.invite(connection, invitation)
            await self._outbox.put(
                connection, _audit(tenant, actor, "person.invite", f"role:{role}", allowed=True)
            )
        return f"{self._issuer}{INVITATION_PATH}/{token}"

    async def invitation(self, token: str) -> Invitation | None:
        """The open invitation that a link leads to."""
        return await self._people.invitation(self._secrets.digest(token))

    async def accept(self, token: str, *, email: str, name: str, password: str) -> Session:
        """Become a user. Raises Rejected."""
        invitation = await self.invitation(token)
        if invitation is None:
            raise Rejected("This invitation was used or is over. Ask for another.")
        email = invitation.email or email.strip()
        name = " ".join(name.split())
        if not _EMAIL.match(email):
            raise Rejected("Enter an e-mail address.")
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise Rejected("Enter your name, with at most 100 characters.")
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise Rejected(f"Choose a password of {MIN_LENGTH} to {MAX_LENGTH} characters.")
        person = Person(
            user_id=new_id(),
            tenant=invitation.tenant,
            email=email,
            name=name,
            role=invitation.role,
            password_digest=await self._passwords.digest(password),
        )
        async with self._outbox.transaction() as connection:
            if not await self._people.use_invitation(connection, invitation.token_digest):
                raise Rejected("This invitation was used or is over. Ask for another.")
            if not await self._people.insert(connection, person):
                raise Rejected("This invitation cannot be used with that address.")
            audit = _audit(
                person.tenant,
                f"user:{person.user_id}",
                "person.join",
                f"user:{person.user_id}",
                allowed=True,
            )
            await self._outbox.put(connection, audit)
        return await self._start(person)

    async def sign_in(self, *, email: str, password: str, host: str) -> Session:
        """Start a session. Raises Rejected, the same for an unknown user and a wrong password."""
        subjects = [
            self._secrets.digest(f"address:{email.strip().lower()[:300]}"),
            self._secrets.digest(f"host:{host}"),
        ]
        for subject, limit in zip(
            subjects, (_FAILURES_OF_ADDRESS, _FAILURES_FROM_HOST), strict=True
        ):
            if await self._people.failures(subject, _WINDOW_SECONDS) >= limit:
                raise LockedOut("Too many attempts failed. Try again in a quarter of an hour.")
        person = await self._people.by_email(email.strip()) if _EMAIL.match(email.strip()) else None
        kept = None if person is None or person.disabled else person.password_digest
        right = await self._passwords.matches(password, kept)
        if person is None or not right:
            await self._people.note_failure(subjects, _WINDOW_SECONDS)
            if person is not None:
                await self._record(person, "person.sign_in", allowed=False)
            raise Rejected("The e-mail address or the password is wrong.")
        return await self._start(person)

    async def signed_in(self, secret: str) -> SignedIn | None:
        """Who is signed in with this session."""
        return await self._people.session(self._secrets.digest(secret)) if secret else None

    async def sign_out(self, secret: str) -> None:
        """End a session."""
        if secret:
            await self._people.end_session(self._secrets.digest(secret))

    async def _start(self, person: Person) -> Session:
        secret = new_secret(_SESSION)
        async with self._outbox.transaction() as connection:
            await self._people.start_session(
                connection, self._secrets.digest(secret), person.user_id, now() + SESSION_LIFETIME
            )
            subject = f"user:{person.user_id}"
            await self._outbox.put(
                connection,
                _audit(person.tenant, subject, "person.sign_in", subject, allowed=True),
            )
        log.info("signed_in", user_id=person.user_id)
        return Session(secret, person)

    async def _record(self, person: Person, operation: str, *, allowed: bool) -> None:
        subject = f"user:{person.user_id}"
        async with self._outbox.transaction() as connection:
            await self._outbox.put(
                connection, _audit(person.tenant, subject, operation, subject, allowed=allowed)
            )


def _audit(
    tenant: TenantId, actor: str, operation: str, resource: str, *, allowed: bool
) -> AuditRecorded:
    return AuditRecorded(
        tenant=tenant, actor=actor, operation=operation, resource=resource, allowed=allowed
    )
