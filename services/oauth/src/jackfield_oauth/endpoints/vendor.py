"""Where a user's browser leaves for a vendor's sign-in, and comes back."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from jackfield_oauth.endpoints.pages import message, secured
from jackfield_oauth.service.vendor.exchange import TIMEOUT
from jackfield_oauth.service.vendor.links import CONNECT_PATH
from jackfield_oauth.service.vendor.sign_in import CALLBACK_PATH, SignInFailed, VendorSignIn

_MAX_PARAMETER: Final = 4096
_COOKIE_SECONDS: Final = 600


def router(issuer: str, sign_in: VendorSignIn) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    https = issuer.startswith("https:")
    # The prefix makes browsers refuse the cookie from anything but this very host over TLS.
    cookie = "__Host-jackfield-sign-in" if https else "jackfield-sign-in"

    @routes.get(CONNECT_PATH + "/{ticket}", include_in_schema=False)
    async def depart(ticket: str) -> Response:
        """Send the browser to the vendor."""
        try:
            async with asyncio.timeout(TIMEOUT):
                departure = await sign_in.depart(ticket[:_MAX_PARAMETER])
        except SignInFailed as failed:
            return message("Not connected", str(failed), status=400)
        answer = RedirectResponse(departure.url, 303, secured())
        answer.set_cookie(
            cookie,
            departure.browser,
            max_age=_COOKIE_SECONDS,
            path="/",
            httponly=True,
            secure=https,
            samesite="lax",
        )
        return answer

    @routes.get(CALLBACK_PATH, include_in_schema=False)
    async def arrive(request: Request) -> Response:
        """Receive the vendor's answer."""
        given = {
            name: value[:_MAX_PARAMETER] for name, value in request.query_params.items() if value
        }
        try:
            async with asyncio.timeout(TIMEOUT + 5):
                arrival = await sign_in.arrive(
                    state=given.get("state", ""),
                    browser=request.cookies.get(cookie, ""),
                    code=given.get("code"),
                    error=given.get("error"),
                    issuer=given.get("iss"),
                )
        except SignInFailed as failed:
            answer: Response = message("Not connected", str(failed), status=400)
        else:
            answer = _home(arrival.vendor, arrival.return_to)
        answer.delete_cookie(cookie, path="/", httponly=True, secure=https, samesite="lax")
        return answer

    return routes


def _home(vendor: str, return_to: str | None) -> Response:
    if return_to is not None and urlsplit(return_to).scheme in ("http", "https"):
        return RedirectResponse(return_to, 303, secured())
    return message("Connected", f"{vendor} is connected. You can close this page.")
