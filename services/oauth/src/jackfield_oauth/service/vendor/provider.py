"""A vendor's authorization server, as its connector declares it."""

from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge  # pyright: ignore[reportUnknownVariableType]

from jackfield_common.connector.auth import OAuth2
from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import ErrorKind, Failure

KIND: Final = "oauth2"
_WAIT: Final = 2.0


class Manifests(Protocol):
    """Where connectors' manifests are read."""

    async def manifest(self, slug: str, wait: float) -> Manifest | None:
        """The manifest of a connector, waited for at most `wait` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Provider:
    """One vendor."""

    title: str
    auth: OAuth2

    def authorization_url(
        self, *, client_id: str, redirect_uri: str, state: str, verifier: str
    ) -> str:
        """Where the browser goes (RFC 6749, 4.1.1; RFC 7636, 4.3)."""
        parameters = {
            **self.auth.authorize_params,
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "state": state,
        }
        if self.auth.scopes:
            parameters["scope"] = self.auth.scope_separator.join(self.auth.scopes)
        if self.auth.pkce:
            parameters["code_challenge"] = str(create_s256_code_challenge(verifier))  # pyright: ignore[reportUnknownArgumentType]
            parameters["code_challenge_method"] = "S256"
        parts = urlsplit(self.auth.authorize_url)
        query = "&".join(one for one in (parts.query, urlencode(parameters)) if one)
        return urlunsplit(parts._replace(query=query))


class Providers:
    """Finds the vendor of a connector."""

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests

    async def find(self, connector: str) -> Provider:
        """The vendor. Raises Failure: UNAVAILABLE while it is not known here, INVALID for none."""
        manifest = await self._manifests.manifest(connector, _WAIT)
        if manifest is None:
            raise Failure(
                ErrorKind.UNAVAILABLE, f"the manifest of {connector} has not arrived", retry_after=1
            )
        for auth in manifest.auth:
            if isinstance(auth, OAuth2):
                return Provider(manifest.title, auth)
        raise Failure(ErrorKind.INVALID, f"{manifest.title} has no OAuth sign-in", field="auth")
