"""The endpoints of the protocol: token, introspection, revocation, keys and metadata."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from authlib.oauth2 import OAuth2Error
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from jackfield_oauth.endpoints.problems import BodyTooLarge
from jackfield_oauth.service.authorization import AuthorizationService, refusal
from jackfield_oauth.service.consent import Consent
from jackfield_oauth.service.metadata import (
    DEVICE_AUTHORIZATION_PATH,
    INTROSPECT_PATH,
    JWKS_PATH,
    PUSH_PATH,
    REVOKE_PATH,
    TOKEN_PATH,
    USERINFO_PATH,
    metadata,
)
from jackfield_oauth.service.protocol.message import (
    MAX_FORM_BYTES,
    Message,
    Reply,
    parameters_of,
)
from jackfield_oauth.service.signing_keys import KeyRing

TIMEOUT: Final = 5.0
"""Seconds until a request that the database holds up is answered with 503."""
_PUBLIC: Final = {"Cache-Control": "public, max-age=60"}

_FORM: Final = "application/x-www-form-urlencoded"


def _form(**fields: str) -> dict[str, Any]:
    properties = {name: {"type": "string", "description": text} for name, text in fields.items()}
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"required": True, "content": {_FORM: {"schema": schema}}}}


def router(
    issuer: str,
    algorithm: str,
    service: AuthorizationService,
    consent: Consent,
    keys: KeyRing,
) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    document = metadata(issuer, algorithm)

    async def answer(request: Request, act: Callable[[Message], Awaitable[Reply]]) -> Response:
        try:
            parameters = parameters_of(
                request.headers.get("content-type", ""), await read_form(request)
            )
        except OAuth2Error as error:
            return to_response(refusal(error))
        message = Message(
            uri=issuer + request.url.path,
            parameters=parameters,
            authorization=request.headers.get("authorization"),
        )
        async with asyncio.timeout(TIMEOUT):
            return to_response(await act(message))

    @routes.post(
        TOKEN_PATH,
        openapi_extra=_form(
            grant_type="client_credentials",
            scope="Scopes, separated by spaces.",
            client_id="Without HTTP Basic: the client.",
            client_secret="Without HTTP Basic: its secret.",  # noqa: S106
        ),
    )
    async def token(request: Request) -> Response:
        """Issue an access token (RFC 6749, 5)."""
        return await answer(request, service.token)

    @routes.post(INTROSPECT_PATH, openapi_extra=_form(token="The token."))  # noqa: S106
    async def introspect(request: Request) -> Response:
        """Say what a token is good for (RFC 7662)."""
        return await answer(request, service.introspect)

    @routes.post(REVOKE_PATH, openapi_extra=_form(token="The token."))  # noqa: S106
    async def revoke(request: Request) -> Response:
        """Make a token no longer good (RFC 7009)."""
        return await answer(request, service.revoke)

    @routes.post(
        DEVICE_AUTHORIZATION_PATH, openapi_extra=_form(client_id="The client.", scope="Scopes.")
    )
    async def device(request: Request) -> Response:
        """Give a device its codes (RFC 8628, 3.1)."""
        return await answer(request, service.authorize_device)

    @routes.post(PUSH_PATH, openapi_extra=_form(response_type="code", client_id="The client."))
    async def push(request: Request) -> Response:
        """Take an authorization request ahead (RFC 9126, 2)."""
        return await answer(request, consent.push)

    @routes.get(USERINFO_PATH)
    @routes.post(USERINFO_PATH, include_in_schema=False)
    async def userinfo(request: Request) -> Response:
        """Say who the person behind an access token is (OpenID Connect Core 1.0, 5.3)."""
        async with asyncio.timeout(TIMEOUT):
            return to_response(await service.userinfo(request.headers.get("authorization")))

    @routes.get(JWKS_PATH)
    async def jwks() -> Response:
        """The public keys (RFC 7517, 5)."""
        return JSONResponse({"keys": list(keys.jwks())}, headers=_PUBLIC)

    @routes.get("/.well-known/oauth-authorization-server")
    @routes.get("/.well-known/openid-configuration")
    async def discovery() -> Response:
        """What this server offers, and where (RFC 8414)."""
        return JSONResponse(document, headers=_PUBLIC)

    return routes


async def read_form(request: Request) -> bytes:
    """The body. Raises BodyTooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise BodyTooLarge(f"A form of this protocol has at most {MAX_FORM_BYTES} bytes.")
    return bytes(body)


def to_response(reply: Reply) -> Response:
    """A reply over HTTP."""
    headers = {name: value for name, value in reply.headers.items() if name != "Content-Type"}
    if isinstance(reply.body, str):
        return Response(reply.body, reply.status, headers)
    return JSONResponse(reply.body, reply.status, headers)
