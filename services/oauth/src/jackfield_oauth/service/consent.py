"""The authorization endpoint (RFC 6749, 3.1): who sits there, what they are asked, what they allow.

The answer is a decision for the browser: sign in first, ask for consent, go back to the client, or, where
the request cannot be trusted enough to send anybody anywhere, a page that says why.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri  # pyright: ignore[reportUnknownVariableType]
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError

from jackfield_common.events.message import now
from jackfield_common.outbox import Outbox
from jackfield_oauth.models import Client, PushedRequest, SignedIn, scopes_of
from jackfield_oauth.repository.grants import Grants
from jackfield_oauth.repository.pushed_requests import PushedRequests
from jackfield_oauth.service.authorization import AuthorizationService, refusal
from jackfield_oauth.service.effects import Effects
from jackfield_oauth.service.protocol.facts import Facts
from jackfield_oauth.service.protocol.grants import METHODS, CodeGrant
from jackfield_oauth.service.protocol.message import Message, Parameters, Reply, identify
from jackfield_oauth.service.protocol.request import ProtocolRequest
from jackfield_oauth.service.protocol.server import Rules, Server, answer_of
from jackfield_oauth.service.secrets import new_secret

AUTHORIZE_PATH: Final = "/oauth2/authorize"
PUSHED_LIFETIME: Final = timedelta(minutes=10)
_REFERENCE: Final = "jf_pr_"
_REFERENCE_URN: Final = "urn:ietf:params:oauth:request_uri:"
_MAX_CLIENT_ID: Final = 200


@dataclass(frozen=True, slots=True)
class SignInFirst:
    """Nobody sits there yet, or they have to prove themselves anew."""


@dataclass(frozen=True, slots=True)
class AskConsent:
    """Ask the person whether the client may have these scopes."""

    client: Client
    scopes: tuple[str, ...]
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class GoTo:
    """Back to the client."""

    url: str


@dataclass(frozen=True, slots=True)
class Show:
    """The request is wrong and nobody may be sent anywhere; say why."""

    text: str


Decision = SignInFirst | AskConsent | GoTo | Show


class Consent:
    """Decides on authorization requests."""

    def __init__(
        self,
        rules: Rules,
        outbox: Outbox,
        grants: Grants,
        effects: Effects,
        pushed: PushedRequests,
        authorization: AuthorizationService,
    ) -> None:
        self._pushed = pushed
        self._rules = rules
        self._outbox = outbox
        self._grants = grants
        self._effects = effects
        self._authorization = authorization

    async def look(self, parameters: Parameters, signed_in: SignedIn | None) -> Decision:
        """What is to happen with a request: a person who agreed before is not asked again."""
        try:
            parameters, pushed = await self._resolved(parameters, signed_in)
            request, server, grant = await self._grant(parameters, signed_in)
        except OAuth2Error as error:
            return self._refused(error, parameters)
        prompts = parameters.get("prompt", "").split()
        if signed_in is None or "login" in prompts or _too_old(signed_in, parameters):
            if "none" in prompts:
                return self._refused(
                    LoginRequiredError(redirect_uri=grant.redirect_uri), parameters
                )
            return SignInFirst()
        client, asked = request.facts.client, scopes_of(request.allowed_scope)
        assert client is not None
        agreed = await self._grants.consented(signed_in.person.user_id, client.client_id)
        if "consent" in prompts or not set(asked) <= set(agreed):
            if "none" in prompts:
                return self._refused(
                    ConsentRequiredError(redirect_uri=grant.redirect_uri), parameters
                )
            return AskConsent(client, asked, str(grant.redirect_uri))
        return await self._allow(request, server, grant, signed_in, pushed)

    async def decide(
        self, parameters: Parameters, signed_in: SignedIn, *, allowed: bool
    ) -> Decision:
        """Carry out what the person answered."""
        try:
            parameters, pushed = await self._resolved(parameters, signed_in)
            request, server, grant = await self._grant(parameters, signed_in)
        except OAuth2Error as error:
            return self._refused(error, parameters)
        if not allowed:
            if pushed is not None:
                async with self._outbox.transaction() as connection:
                    await self._pushed.use(connection, pushed.request_digest)
            return self._answer(server.answer_authorization_request(grant, None).headers)
        return await self._allow(request, server, grant, signed_in, pushed)

    async def push(self, message: Message) -> Reply:
        """Take an authorization request ahead, from a client that proves who it is (RFC 9126, 2)."""
        try:
            identification = identify(message)
            client = await self._authorization.clients.get(identification.client_id)
            request = ProtocolRequest(message, identification, Facts(client))
            proven = Server(self._rules, request).authenticate_client(request, METHODS)
            if "request_uri" in message.parameters:
                raise InvalidRequestError(description="A pushed request holds no request_uri.")
            parameters = {
                name: value
                for name, value in message.parameters.items()
                if name not in ("client_secret", "client_id")
            }
            parameters["client_id"] = proven.get_client_id()
            await self._grant(parameters, None)
        except OAuth2Error as error:
            error.redirect_uri = None  # told to the client itself, there is no browser
            return refusal(error)
        reference = new_secret(_REFERENCE)
        await self._pushed.insert(
            self._rules.secrets.digest(reference),
            parameters["client_id"],
            parameters,
            now() + PUSHED_LIFETIME,
        )
        seconds = int(PUSHED_LIFETIME.total_seconds())
        body = {"request_uri": _REFERENCE_URN + reference, "expires_in": seconds}
        return Reply(201, body, {"Cache-Control": "no-store"})

    async def _resolved(
        self, parameters: Parameters, signed_in: SignedIn | None
    ) -> tuple[Parameters, PushedRequest | None]:
        """The request itself, where only its reference is given. Raises InvalidRequestError."""
        reference = parameters.get("request_uri")
        if reference is None:
            return parameters, None
        pushed = None
        if reference.startswith(_REFERENCE_URN):
            digest = self._rules.secrets.digest(reference.removeprefix(_REFERENCE_URN))
            client_id = parameters.get("client_id", "")[:_MAX_CLIENT_ID]
            pushed = await self._pushed.find(digest, client_id)
        if pushed is None:
            raise InvalidRequestError(description="This request_uri is not known, used or over.")
        prompts = pushed.parameters.get("prompt", "").split()
        if signed_in is not None and signed_in.at >= pushed.pushed_at and "login" in prompts:
            prompts.remove("login")  # they have proved themselves since
            return {**pushed.parameters, "prompt": " ".join(prompts)}, pushed
        return pushed.parameters, pushed

    async def _allow(
        self,
        request: ProtocolRequest,
        server: Server,
        grant: CodeGrant,
        signed_in: SignedIn,
        pushed: PushedRequest | None,
    ) -> Decision:
        client = request.facts.client
        assert client is not None
        reply = server.answer_authorization_request(grant, signed_in.person)
        async with self._outbox.transaction() as connection:
            if pushed is not None and not await self._pushed.use(connection, pushed.request_digest):
                return Show("This request was answered before.")
            await self._grants.consent(
                connection,
                signed_in.person.user_id,
                client.client_id,
                scopes_of(request.allowed_scope),
            )
            await self._effects.write(connection, request.effects)
        return self._answer(reply.headers)

    async def _grant(
        self, parameters: Parameters, signed_in: SignedIn | None
    ) -> tuple[ProtocolRequest, Server, CodeGrant]:
        client_id = parameters.get("client_id", "")[:_MAX_CLIENT_ID]
        client = await self._authorization.clients.get(client_id) if client_id else None
        if client is None:
            raise InvalidClientError(description="This client is not known here.")
        if signed_in is not None and client.tenant != signed_in.person.tenant:
            raise InvalidClientError(description="This client belongs to another organisation.")
        message = Message(self._rules.issuer + AUTHORIZE_PATH, parameters, "GET")
        request = ProtocolRequest(message, None, Facts(client, signed_in=signed_in))
        server = Server(self._rules, request)
        grant = server.consent_grant(None if signed_in is None else signed_in.person)
        return request, server, grant

    def _refused(self, error: OAuth2Error, parameters: Parameters) -> Decision:
        error.state = parameters.get("state")
        if not error.redirect_uri:
            return Show(error.description or str(error.error))
        return self._answer(answer_of(error)[2])

    def _answer(self, headers: Parameters) -> Decision:
        # The issuer says who answers, against mix-up (RFC 9207, 2).
        url: str = add_params_to_uri(headers["Location"], [("iss", self._rules.issuer)])
        return GoTo(url)


def origin_of(url: str) -> str:
    """What a page has to name so that browsers let a form lead there (CSP 3, form-action)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def _too_old(signed_in: SignedIn, parameters: Parameters) -> bool:
    max_age = parameters.get("max_age", "")
    if not max_age.isdecimal():
        return False
    return (now() - signed_in.at).total_seconds() > int(max_age[:9])
