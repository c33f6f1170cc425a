"""Requests to a vendor's token endpoint: bounded, to allowed addresses alone, never redirected.

A request is told apart by what is known of it afterwards: answered, never sent, or cut off in between,
when nobody knows whether the vendor carried it out.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from socket import AF_UNSPEC, AddressFamily
from typing import Final
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from jackfield_common.egress import Egress, EgressRefused, literal
from jackfield_common.telemetry import calling
from jackfield_oauth.service.fields import Fields, text
from jackfield_oauth.service.vendor.provider import Provider
from jackfield_oauth.service.vendor.tokens import Granted, read

TIMEOUT: Final = 15.0
"""Seconds for a whole exchange."""
_MAX_ANSWER: Final = 256 * 1024


class NotSent(Exception):
    """No connection came about: nothing was spent."""


class CutOff(Exception):
    """The request left, no (usable) answer came: whether it was carried out is not known."""


class _Resolver(AbstractResolver):
    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        good = [
            one for one in found if self._egress.reachable(ip_address(one["host"].split("%")[0]))
        ]
        if not good:
            raise EgressRefused(f"{host} leads into a network that calls may not reach")
        return good

    async def close(self) -> None:
        await self._inner.close()


class Exchange:
    """Asks vendors' token endpoints. Close it at the end."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._tls = ssl.create_default_context()
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def code(
        self, provider: Provider, fields: Fields, *, code: str, redirect_uri: str, verifier: str
    ) -> Granted:
        """Tokens for a code (RFC 6749, 4.1.3; RFC 7636, 4.5). Raises as `_ask`."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if provider.auth.pkce:
            form["code_verifier"] = verifier
        return await self._ask(provider, fields, form)

    async def refresh(self, provider: Provider, fields: Fields) -> Granted:
        """Tokens for a refresh token (RFC 6749, 6). Raises as `_ask`."""
        form = {"grant_type": "refresh_token", "refresh_token": text(fields, "refresh_token")}
        return await self._ask(provider, fields, form)

    async def client_credentials(self, provider: Provider, fields: Fields) -> Granted:
        """Tokens for the client itself (RFC 6749, 4.4). Raises as `_ask`."""
        form = {"grant_type": "client_credentials"}
        if provider.auth.scopes:
            form["scope"] = provider.auth.scope_separator.join(provider.auth.scopes)
        return await self._ask(provider, fields, form)

    async def _ask(self, provider: Provider, fields: Fields, form: Mapping[str, str]) -> Granted:
        """Raises Refused (the vendor said no), NotSent or CutOff."""
        auth = provider.auth
        client_id, secret = text(fields, "client_id"), text(fields, "client_secret")
        headers = {"accept": "application/json"}
        parameters = dict(form)
        if auth.client_auth == "client_secret_basic" and secret:
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
            headers["authorization"] = "Basic " + base64.b64encode(pair).decode()
        else:
            parameters["client_id"] = client_id
            if secret:
                parameters["client_secret"] = secret
        address = literal(urlsplit(auth.token_url).hostname or "")
        if address is not None and not self._egress.reachable(address):
            raise NotSent(f"{address} is in a network that calls may not reach")
        attributes = {"server.address": urlsplit(auth.token_url).hostname or ""}
        with calling(f"token {form['grant_type']}", attributes):
            if auth.token_encoding == "json":  # noqa: S105 - a format
                headers["content-type"] = "application/json"
                sent = json.dumps(parameters).encode()
            else:
                headers["content-type"] = "application/x-www-form-urlencoded"
                sent = urlencode(parameters).encode()
            status, content_type, body = await self._post(auth.token_url, headers, sent)
        if status >= 500 or status == 429:
            raise CutOff(f"the token endpoint answered {status}")
        return read(status, content_type, body, auth.access_token_seconds)

    async def _post(
        self, url: str, headers: Mapping[str, str], sent: bytes
    ) -> tuple[int, str, bytes]:
        session = self._session
        if session is None:
            session = self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Resolver(self._egress),
                    limit=32,
                    use_dns_cache=False,
                    ssl=self._tls,
                    force_close=True,  # so that a dropped connection always means a sent request
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                session.post(
                    url,
                    headers=headers,
                    data=sent,
                    allow_redirects=False,
                ) as answer,
            ):
                body = await answer.content.read(_MAX_ANSWER + 1)
                while len(body) <= _MAX_ANSWER and not answer.content.at_eof():
                    body += await answer.content.read(_MAX_ANSWER + 1 - len(body))
                if len(body) > _MAX_ANSWER:
                    raise CutOff("the token endpoint's answer is too large")
                return answer.status, answer.headers.get("content-type", ""), body
        except aiohttp.ClientConnectorError as error:
            raise NotSent(f"no connection: {type(error).__name__}") from None
        except TimeoutError:
            raise CutOff(f"no answer within {TIMEOUT:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise CutOff(f"the connection broke: {type(error).__name__}") from None
