"""A person with a browser: keeps cookies, fills forms in, follows where it is sent on our own pages."""

import re
import secrets
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import httpx

_FIELD = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_ACTION = re.compile(r'<form method="post"(?: action="([^"]*)")?>')

PASSWORD = "correct horse battery staple"


class Person:
    """Someone at a browser."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.email = f"ada-{secrets.token_hex(4)}@example.com"
        self.browser = httpx.AsyncClient(base_url=issuer, timeout=20)

    async def close(self) -> None:
        """Close the browser."""
        await self.browser.aclose()

    async def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Fill the form of a page in, and send it."""
        action = _ACTION.search(page.text)
        assert action is not None, page.text
        hidden = {name: unescape(value) for name, value in _FIELD.findall(page.text)}
        where = unescape(action[1]) if action[1] else str(page.url)
        return await self.browser.post(
            where, data={**hidden, **fields}, headers={"origin": self.issuer}
        )

    async def join(self, link: str, name: str = "Ada") -> None:
        """Accept an invitation; this leaves the person signed in."""
        page = await self.browser.get(link)
        joined = await self.submit(page, email=self.email, name=name, password=PASSWORD)
        assert joined.status_code == 303, joined.text

    async def sign_in(self, page: httpx.Response) -> httpx.Response:
        """Sign in on the page that asks for it, and go where that leads."""
        assert "Sign in" in page.text, page.text
        answer = await self.submit(page, email=self.email, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return await self.browser.get(answer.headers["location"])

    async def allow(self, page: httpx.Response) -> str:
        """Agree, and return where the browser is sent."""
        assert "Allow" in page.text, page.text
        answer = await self.submit(page, decision="allow")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
