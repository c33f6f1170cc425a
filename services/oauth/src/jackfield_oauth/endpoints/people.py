"""Pages where people sign in, accept invitations and allow clients."""

import asyncio
from collections.abc import Awaitable, Callable
from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode

from authlib.oauth2 import OAuth2Error
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from jackfield_oauth.endpoints.browser import Browser, ForeignForm
from jackfield_oauth.endpoints.pages import message, page, secured
from jackfield_oauth.endpoints.protocol import TIMEOUT
from jackfield_oauth.models import SignedIn
from jackfield_oauth.service.consent import (
    AUTHORIZE_PATH,
    AskConsent,
    Consent,
    Decision,
    GoTo,
    Show,
    SignInFirst,
    origin_of,
)
from jackfield_oauth.service.devices import DeviceApproval, WaitingDevice
from jackfield_oauth.service.passwords import MAX_LENGTH, MIN_LENGTH
from jackfield_oauth.service.people import (
    INVITATION_PATH,
    SESSION_LIFETIME,
    LockedOut,
    Membership,
    Rejected,
    Session,
)
from jackfield_oauth.service.protocol.device import DEVICE_PATH
from jackfield_oauth.service.protocol.message import unique

SIGN_IN_PATH: Final = "/sign-in"
SIGN_OUT_PATH: Final = "/sign-out"
_SESSION: Final = "session"

_MEANING: Final = {
    "openid": "know who you are",
    "profile": "see your name",
    "email": "see your e-mail address",
    "offline_access": "go on while you are away",
    "api": "do everything that you may do",
    "read_api": "see everything that you may see",
    "read_user": "see your profile",
    "read_repository": "read repositories",
    "write_repository": "write to repositories",
    "read_registry": "read registries",
    "write_registry": "write to registries",
    "sudo": "act as any other user",
}

Act = Callable[[Request], Awaitable[Response]]


def router(
    browser: Browser, membership: Membership, consent: Consent, approval: DeviceApproval
) -> APIRouter:
    """The routes."""
    routes = APIRouter(include_in_schema=False)

    def guarded(act: Act) -> Act:
        async def handle(request: Request) -> Response:
            try:
                async with asyncio.timeout(TIMEOUT):
                    return await act(request)
            except ForeignForm:
                text = (
                    "This form was not sent from its own page, or is too old. Go back, reload it."
                )
                return message("Not accepted", text, status=403)
            except OAuth2Error as error:
                return message("Not accepted", error.description or str(error.error), status=400)

        return handle

    async def who(request: Request) -> SignedIn | None:
        return await membership.signed_in(browser.cookie(request, _SESSION))

    def form_page(
        request: Request,
        title: str,
        form: Callable[[str], str],
        *,
        status: int = 200,
        leads_to: str = "",
    ) -> Response:
        cookie = browser.form_cookie(request)
        answer = page(title, form(browser.form_token(cookie)), status=status)
        if leads_to:
            answer.headers.update(secured(form_action=f"'self' {leads_to}"))
        browser.give(answer, "form", cookie, None)
        return answer

    def signed(session: Session, to: str) -> Response:
        answer = RedirectResponse(to, 303, secured())
        browser.give(answer, _SESSION, session.secret, int(SESSION_LIFETIME.total_seconds()))
        return answer

    def decided(request: Request, decision: Decision) -> Response:
        match decision:
            case GoTo(url):
                return RedirectResponse(url, 303, secured())
            case Show(text):
                return message("This request cannot be granted", text, status=400)
            case AskConsent():
                return form_page(
                    request,
                    f"Allow {decision.client.name}?",
                    lambda token: _consent(token, decision, request.url.query),
                    leads_to=origin_of(decision.redirect_uri),
                )
            case SignInFirst():
                then = f"{AUTHORIZE_PATH}?{_without_login(request)}"
                return form_page(request, "Sign in", lambda token: _sign_in(token, then))

    @routes.get(AUTHORIZE_PATH)
    @guarded
    async def look(request: Request) -> Response:
        parameters = unique(_query(request))
        return decided(request, await consent.look(parameters, await who(request)))

    @routes.post(AUTHORIZE_PATH)
    @guarded
    async def decide(request: Request) -> Response:
        fields = await browser.form(request)
        parameters, signed_in = unique(_query(request)), await who(request)
        if signed_in is None:
            return decided(request, SignInFirst())
        allowed = fields.get("decision") == "allow"
        return decided(request, await consent.decide(parameters, signed_in, allowed=allowed))

    @routes.get(DEVICE_PATH)
    @guarded
    async def device_page(request: Request) -> Response:
        code = request.query_params.get("user_code", "")[:32]
        if await who(request) is None:
            then = f"{DEVICE_PATH}?{urlencode({'user_code': code})}"
            return form_page(request, "Sign in", lambda token: _sign_in(token, then))
        return form_page(request, "Connect a device", lambda token: _device(token, code))

    @routes.post(DEVICE_PATH)
    @guarded
    async def device(request: Request) -> Response:
        fields = await browser.form(request)
        code, signed_in = fields.get("user_code", "")[:32], await who(request)
        if signed_in is None:
            return form_page(request, "Sign in", lambda token: _sign_in(token, DEVICE_PATH + "?"))
        try:
            if "decision" not in fields:
                waiting = await approval.find(code, signed_in)
                return form_page(
                    request,
                    f"Allow {waiting.client.name}?",
                    lambda token: _device_consent(token, waiting, code),
                )
            allowed = fields["decision"] == "allow"
            await approval.decide(code, signed_in, allowed=allowed)
        except Rejected as rejected:
            status, wrong = 429 if isinstance(rejected, LockedOut) else 400, str(rejected)
            return form_page(
                request,
                "Connect a device",
                lambda token: _device(token, "", wrong),
                status=status,
            )
        return message(
            "Done", "Your device goes on by itself." if allowed else "The device was refused."
        )

    @routes.get(SIGN_IN_PATH)
    @guarded
    async def sign_in_page(request: Request) -> Response:
        signed_in = await who(request)
        if signed_in is not None:
            return form_page(request, f"Hello, {signed_in.person.name}", _signed_in)
        return form_page(request, "Sign in", lambda token: _sign_in(token, ""))

    @routes.post(SIGN_IN_PATH)
    @guarded
    async def sign_in(request: Request) -> Response:
        fields = await browser.form(request)
        then = fields.get("then", "")
        try:
            session = await membership.sign_in(
                email=fields.get("email", ""),
                password=fields.get("password", ""),
                host=request.client.host if request.client else "",
            )
        except Rejected as rejected:
            status = 429 if isinstance(rejected, LockedOut) else 401
            wrong = str(rejected)
            return form_page(
                request, "Sign in", lambda token: _sign_in(token, then, wrong), status=status
            )
        return signed(session, then if _is_ours(then) else SIGN_IN_PATH)

    @routes.post(SIGN_OUT_PATH)
    @guarded
    async def sign_out(request: Request) -> Response:
        await browser.form(request)
        await membership.sign_out(browser.cookie(request, _SESSION))
        answer = message("Signed out", "You are signed out here.")
        browser.take(answer, _SESSION)
        return answer

    @routes.get(INVITATION_PATH + "/{token}")
    @guarded
    async def invitation(request: Request) -> Response:
        found = await membership.invitation(request.path_params["token"])
        if found is None:
            text = "This invitation was used or is over. Ask for another."
            return message("Not valid any more", text, status=404)
        return form_page(request, "Welcome to Jackfield", lambda token: _join(token, found.email))

    @routes.post(INVITATION_PATH + "/{token}")
    @guarded
    async def join(request: Request) -> Response:
        fields = await browser.form(request)
        token = request.path_params["token"]
        try:
            session = await membership.accept(
                token,
                email=fields.get("email", ""),
                name=fields.get("name", ""),
                password=fields.get("password", ""),
            )
        except Rejected as rejected:
            found = await membership.invitation(token)
            email, wrong = None if found is None else found.email, str(rejected)
            return form_page(
                request,
                "Welcome to Jackfield",
                lambda form_token: _join(form_token, email, wrong),
                status=400,
            )
        return signed(session, SIGN_IN_PATH)

    return routes


def _query(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=50)


def _without_login(request: Request) -> str:
    """The query of the request once the person has proved themselves anew."""
    kept = [
        (name, " ".join(one for one in value.split() if one != "login"))
        if name == "prompt"
        else (name, value)
        for name, value in _query(request)
    ]
    return urlencode([(name, value) for name, value in kept if value])


def _is_ours(then: str) -> bool:
    """Whether a page leads on to one of our own, and so to nobody else's."""
    return then.startswith((f"{AUTHORIZE_PATH}?", f"{DEVICE_PATH}?")) and then.isprintable()


def _wrong(text: str) -> str:
    return f'<p class="wrong" role="alert">{escape(text)}</p>' if text else ""


def _sign_in(token: str, then: str, wrong: str = "") -> str:
    return (
        f'{_wrong(wrong)}<form method="post" action="{SIGN_IN_PATH}">{token}'
        f'<input type="hidden" name="then" value="{escape(then)}">'
        '<label for="email">E-mail address</label>'
        '<input id="email" name="email" type="email" autocomplete="username" required autofocus>'
        '<label for="password">Password</label><input id="password" name="password"'
        f' type="password" autocomplete="current-password" maxlength="{MAX_LENGTH}" required>'
        '<button type="submit">Sign in</button></form>'
    )


def _signed_in(token: str) -> str:
    return (
        "<p>You are signed in.</p>"
        f'<form method="post" action="{SIGN_OUT_PATH}">{token}'
        '<button class="quiet" type="submit">Sign out</button></form>'
    )


def _join(token: str, email: str | None, wrong: str = "") -> str:
    address = (
        f"<p>{escape(email)}</p>"
        if email is not None
        else '<label for="email">E-mail address</label>'
        '<input id="email" name="email" type="email" autocomplete="username" required>'
    )
    return (
        f'{_wrong(wrong)}<form method="post">{token}{address}'
        '<label for="name">Your name</label>'
        '<input id="name" name="name" type="text" autocomplete="name" maxlength="100" required>'
        f'<label for="password">Password, at least {MIN_LENGTH} characters</label>'
        '<input id="password" name="password" type="password" autocomplete="new-password"'
        f' minlength="{MIN_LENGTH}" maxlength="{MAX_LENGTH}" required>'
        '<button type="submit">Join</button></form>'
    )


def _device(token: str, code: str, wrong: str = "") -> str:
    return (
        f'{_wrong(wrong)}<form method="post" action="{DEVICE_PATH}">{token}'
        '<label for="user_code">The code that your device shows</label>'
        '<input id="user_code" name="user_code" type="text" autocomplete="off" maxlength="32"'
        f' value="{escape(code)}" required autofocus>'
        '<button type="submit">Go on</button></form>'
    )


def _device_consent(token: str, waiting: WaitingDevice, code: str) -> str:
    return (
        f"<p>A device with {escape(waiting.client.name)} would like to:</p>"
        f"{_scopes(waiting.device.scopes)}"
        "<p><small>Allow it only if you started this on a device of your own.</small></p>"
        f'<form method="post" action="{DEVICE_PATH}">{token}'
        f'<input type="hidden" name="user_code" value="{escape(code)}">{_BUTTONS}</form>'
    )


def _scopes(scopes: tuple[str, ...]) -> str:
    items = "".join(
        f"<li>{escape(_MEANING[scope])} <small>({escape(scope)})</small></li>" for scope in scopes
    )
    return f"<ul>{items}</ul>"


_BUTTONS: Final = (
    '<button name="decision" value="allow" type="submit">Allow</button>'
    '<button class="quiet" name="decision" value="deny" type="submit">Refuse</button>'
)


def _consent(token: str, asked: AskConsent, query: str) -> str:
    return (
        f"<p>{escape(asked.client.name)} would like to:</p>{_scopes(asked.scopes)}"
        f"<p><small>You go on to {escape(origin_of(asked.redirect_uri))}.</small></p>"
        f'<form method="post" action="{AUTHORIZE_PATH}?{escape(query)}">{token}{_BUTTONS}</form>'
    )
