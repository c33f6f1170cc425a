"""A user signs in at a vendor: out with state and PKCE, back with a code, home with tokens.

The state is single-use and lives as long as the link; it is bound to the browser that went out by a
cookie, so that nobody can be made to finish somebody else's sign-in (RFC 9700, 4.7).
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from jackfield_common.errors import Failure, JackfieldError
from jackfield_common.events.message import now
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys
from jackfield_common.topics import Service
from jackfield_oauth.models import KeptCredential, SignIn
from jackfield_oauth.repository.sign_ins import SignIns
from jackfield_oauth.service.fields import Fields, text
from jackfield_oauth.service.secrets import SecretHash, new_secret
from jackfield_oauth.service.vault import Vault
from jackfield_oauth.service.vendor.exchange import CutOff, Exchange, NotSent
from jackfield_oauth.service.vendor.provider import Provider, Providers
from jackfield_oauth.service.vendor.tokens import Granted, Refused

log = structlog.get_logger(__name__)

CALLBACK_PATH: Final = "/oauth2/callback"
_STATE: Final = "jf_st_"
_BROWSER: Final = "jf_br_"


class SignInFailed(JackfieldError):
    """The sign-in cannot go on; the text is for the person in the browser."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and the cookie that it takes along."""

    url: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The sign-in is done: what was connected, and where the browser goes now, if anywhere."""

    vendor: str
    return_to: str | None


class VendorSignIn:
    """Sends browsers out and receives them back."""

    def __init__(
        self,
        issuer: str,
        keys: Keys,
        secret_hash: SecretHash,
        outbox: Outbox,
        table: SignIns,
        vault: Vault,
        providers: Providers,
        exchange: Exchange,
    ) -> None:
        self._redirect_uri = issuer + CALLBACK_PATH
        self._keys = keys
        self._secrets = secret_hash
        self._outbox = outbox
        self._table = table
        self._vault = vault
        self._providers = providers
        self._exchange = exchange

    async def depart(self, ticket: str) -> Departure:
        """Follow a link. Raises SignInFailed when it is over."""
        sign_in = await self._table.find(self._secrets.digest(ticket))
        if sign_in is None:
            raise SignInFailed(
                "This link is no longer good: it lives ten minutes. Ask for another."
            )
        kept, fields, provider = await self._credential(sign_in)
        state, browser = new_secret(_STATE), new_secret(_BROWSER)
        verifier = secrets.token_urlsafe(48)
        bound = await self._table.depart(
            sign_in.ticket_digest,
            self._secrets.digest(state),
            self._secrets.digest(browser),
            self._keys.seal(Service.OAUTH, "verifier", verifier.encode()),
        )
        if not bound:
            raise SignInFailed("This link is no longer good. Ask for another.")
        url = provider.authorization_url(
            client_id=text(fields, "client_id"),
            redirect_uri=self._redirect_uri,
            state=state,
            verifier=verifier,
        )
        log.info("vendor_sign_in_departs", integration_id=kept.integration_id)
        return Departure(url, browser)

    async def arrive(
        self, *, state: str, browser: str, code: str | None, error: str | None, issuer: str | None
    ) -> Arrival:
        """Receive the vendor's answer (RFC 6749, 4.1.2). Raises SignInFailed."""
        sign_in = await self._table.take(self._secrets.digest(state), self._secrets.digest(browser))
        if sign_in is None or sign_in.verifier is None:
            raise SignInFailed(
                "This answer belongs to no sign-in of this browser, or came too late. Start again."
            )
        kept, fields, provider = await self._credential(sign_in)
        expected = provider.auth.issuer
        if expected is not None and issuer is not None and issuer != expected:
            raise SignInFailed("The answer came from another authorization server (RFC 9207).")
        if error is not None:
            raise SignInFailed(f"{provider.title} refused: {_plain(error)}.")
        if not code:
            raise SignInFailed(f"{provider.title} sent neither a code nor an error.")
        verifier = self._keys.open(sign_in.verifier).decode()
        granted = await self._granted(provider, fields, code, verifier)
        await self._keep(sign_in, granted)
        log.info("vendor_sign_in_arrived", integration_id=kept.integration_id)
        return Arrival(provider.title, sign_in.return_to)

    async def _granted(
        self, provider: Provider, fields: Fields, code: str, verifier: str
    ) -> Granted:
        try:
            return await self._exchange.code(
                provider, fields, code=code, redirect_uri=self._redirect_uri, verifier=verifier
            )
        except Refused as refused:
            raise SignInFailed(f"{provider.title} refused the code: {refused}.") from None
        except (NotSent, CutOff) as error:
            raise SignInFailed(
                f"{provider.title} could not be asked for tokens ({error}). Start again."
            ) from None

    async def _credential(self, sign_in: SignIn) -> tuple[KeptCredential, Fields, Provider]:
        async with self._outbox.transaction() as connection:
            kept = await self._vault.locked(connection, sign_in.integration_id)
        if (
            kept is None
            or kept.sealed is None
            or kept.requested_version != sign_in.requested_version
        ):
            raise SignInFailed("The credential was changed or deleted since. Start again.")
        try:
            provider = await self._providers.find(kept.connector)
        except Failure as failure:
            raise SignInFailed(f"Not now: {failure.message}. Try again in a moment.") from None
        return kept, self._vault.opened(kept), provider

    async def _keep(self, sign_in: SignIn, granted: Granted) -> None:
        time = now()
        async with self._outbox.transaction() as connection:
            kept = await self._vault.locked(connection, sign_in.integration_id)
            if kept is None or kept.sealed is None:
                raise SignInFailed("The credential was deleted since.")
            if kept.requested_version != sign_in.requested_version:
                raise SignInFailed("The credential was changed since. Start again.")
            fields = granted.merged(self._vault.opened(kept), time)
            await self._vault.renew(connection, kept, fields, _refresh_at(fields, granted, time))


def _refresh_at(fields: Fields, granted: Granted, time: datetime) -> datetime | None:
    return granted.refresh_at(time) if text(fields, "refresh_token") else None


def _plain(text: str) -> str:
    return "".join(one for one in text[:100] if one.isalnum() or one in " _-.")
