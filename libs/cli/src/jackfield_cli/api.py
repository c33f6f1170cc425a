"""The HTTP API from its user's side: typed answers, problems as errors that say what to do."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from jackfield_cli.local.access import access
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.places import state_directory
from jackfield_cli.resources import Page, Resource

T = TypeVar("T", bound=Resource)
Query = Mapping[str, str | int | float | bool | None]

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_PAGE = 100


class FieldProblem(BaseModel):
    """One wrong field of a request."""

    field: str
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457, 3)."""

    title: str = ""
    status: int = 0
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()


class ApiRefusedError(Exception):
    """The API answered with an error."""

    def __init__(self, problem: Problem) -> None:
        lines = [problem.detail or problem.title or f"status {problem.status}"]
        lines += [f"{each.field}: {each.message}" for each in problem.errors]
        super().__init__("\n       ".join(lines))
        self.problem = problem


class ApiUnreachableError(Exception):
    """There was no usable answer."""


class Api:
    """A connection to one API. Not safe for several threads."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            # A proxy from the environment is for the world outside, not for this machine.
            trust_env=not _is_local(self.url),
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, model: type[T], query: Query | None = None) -> T:
        """Read one resource."""
        return _parsed(self._send("GET", path, query=query), model)

    def find(self, path: str, model: type[T]) -> T | None:
        """Read one resource that may not be there (yet)."""
        try:
            return self.get(path, model)
        except ApiRefusedError as error:
            if error.problem.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def list(
        self, path: str, model: type[T], query: Query | None = None, limit: int = 1000
    ) -> list[T]:
        """Read a list, page by page, up to `limit` items."""
        found: list[T] = []
        cursor: str | None = None
        while True:
            wanted = {**(query or {}), "limit": min(_PAGE, limit - len(found)), "cursor": cursor}
            page = _parsed(self._send("GET", path, query=wanted), Page[model])
            found += page.items
            cursor = page.next_cursor
            if cursor is None or len(found) >= limit:
                return found

    def post(
        self,
        path: str,
        model: type[T],
        body: Mapping[str, JsonValue] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0,
    ) -> T:
        """Create or do something. `wait_seconds` is how long the API itself may wait."""
        answer = self._send("POST", path, body or {}, query, headers, wait_seconds)
        return _parsed(answer, model)

    def tell(self, path: str, body: Mapping[str, JsonValue]) -> None:
        """Do something that has no answer but that it was done."""
        self._send("POST", path, body)

    def delete(self, path: str, query: Query | None = None) -> None:
        """Remove something."""
        self._send("DELETE", path, query=query)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, JsonValue] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            answer = self._http.request(
                method,
                path,
                json=body,
                params=given,
                headers=headers,
                timeout=httpx.Timeout(_ANSWER_SECONDS + wait_seconds, connect=_CONNECT_SECONDS),
            )
        except httpx.TransportError as error:
            raise ApiUnreachableError(
                f"No answer from {self.url}: {error or type(error).__name__}."
            ) from error
        if answer.is_success:
            return answer
        raise ApiRefusedError(_problem(answer))


@contextmanager
def connected(environment: Mapping[str, str] = os.environ) -> Generator[Api]:
    """The API that JACKFIELD_URL and JACKFIELD_API_KEY name, or that of the local installation.

    Raises `LocalError` where neither is there.
    """
    url, key = environment.get("JACKFIELD_URL"), environment.get("JACKFIELD_API_KEY")
    if url and not key:
        # The local installation's key is nobody else's business.
        raise LocalError(
            "JACKFIELD_URL is set and JACKFIELD_API_KEY is not.", "Set both, or neither."
        )
    if not url or not key:
        local = access(Installation(state_directory()))
        url, key = local.url, local.api_key
    api = Api(url, key)
    try:
        yield api
    finally:
        api.close()


def _is_local(url: str) -> bool:
    return httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")


def _parsed(answer: httpx.Response, model: type[T]) -> T:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise ApiUnreachableError(
            f"{answer.request.url} answered something else than expected: is it Jackfield's API, "
            f"of this version? ({error.error_count()} fields differ)"
        ) from error


def _problem(answer: httpx.Response) -> Problem:
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        problem = Problem(title=answer.reason_phrase)
    wait = answer.headers.get("Retry-After")
    detail = problem.detail
    if wait and wait not in detail:
        detail = f"{detail or problem.title} Try again in {wait} s."
    return problem.model_copy(update={"status": answer.status_code, "detail": detail})
