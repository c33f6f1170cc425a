"""A person's browser: its cookies, its forms, and where they come from."""

import hmac
from dataclasses import dataclass
from html import escape
from typing import Final

from fastapi import Request, Response

from jackfield_oauth.endpoints.protocol import read_form
from jackfield_oauth.service.protocol.message import parameters_of
from jackfield_oauth.service.secrets import SecretHash, new_secret

_COOKIE: Final = "jf_co_"
_TOKEN: Final = "jf_fo_"  # noqa: S105 - a prefix
FIELD: Final = "form_token"


class ForeignForm(Exception):
    """A form that was not served to this browser by us."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Names and protects what a browser holds. Every form carries a token bound to its cookie."""

    issuer: str
    secrets: SecretHash

    @property
    def secure(self) -> bool:
        """Whether cookies are for TLS alone."""
        return self.issuer.startswith("https:")

    def _name(self, name: str) -> str:
        # The prefix makes browsers refuse the cookie from anything but this very host over TLS.
        return f"__Host-jackfield-{name}" if self.secure else f"jackfield-{name}"

    def cookie(self, request: Request, name: str) -> str:
        """A cookie; empty when it is not there."""
        return request.cookies.get(self._name(name), "")[:200]

    def give(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        """Set a cookie, for `seconds` or until the browser closes."""
        response.set_cookie(
            self._name(name),
            value,
            max_age=seconds,
            path="/",
            httponly=True,
            secure=self.secure,
            samesite="lax",
        )

    def take(self, response: Response, name: str) -> None:
        """Delete a cookie."""
        response.delete_cookie(
            self._name(name), path="/", httponly=True, secure=self.secure, samesite="lax"
        )

    def form_cookie(self, request: Request) -> str:
        """The cookie that this browser's forms are bound to; a new one when there is none."""
        known = self.cookie(request, "form")
        return known if known.startswith(_COOKIE) else new_secret(_COOKIE)

    def form_token(self, cookie: str) -> str:
        """The hidden field for a form."""
        token = self.secrets.derived("form", cookie, _TOKEN)
        return f'<input type="hidden" name="{FIELD}" value="{escape(token)}">'

    async def form(self, request: Request) -> dict[str, str]:
        """A form that this browser sends. Raises ForeignForm, and what reading a form raises."""
        origin = request.headers.get("origin")
        if origin is not None and origin != self.issuer:
            raise ForeignForm
        fields = parameters_of(request.headers.get("content-type", ""), await read_form(request))
        cookie = self.cookie(request, "form")
        token = self.secrets.derived("form", cookie, _TOKEN)
        if not cookie.startswith(_COOKIE) or not hmac.compare_digest(
            fields.pop(FIELD, "").encode(), token.encode()
        ):
            raise ForeignForm
        return fields
