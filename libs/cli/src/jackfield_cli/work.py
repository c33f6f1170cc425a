"""Parked and dead work as the command reads it, chooses it and changes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer
from pydantic import JsonValue

from jackfield_cli.api import connected
from jackfield_cli.output import console, print_json
from jackfield_cli.resources import Resource
from jackfield_common.errors import ErrorKind

_AGO: Final = re.compile(r"(\d{1,4})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Worker(StrEnum):
    """Who has the work."""

    WEBHOOKS = "webhooks"
    CONNECTORS = "connectors"


class Tried(Resource):
    """One attempt."""

    at: datetime
    kind: str
    message: str


class Work(Resource):
    """One piece of parked or dead work."""

    id: str
    topic: str
    integration_id: str
    lane: str
    state: str
    cause: str
    attempts: int
    due_at: datetime | None = None
    kind: str | None = None
    message: str | None = None
    tried: tuple[Tried, ...] = ()
    size: int
    entered_at: datetime
    changed_at: datetime


class Content(Work):
    """The same with the record's own headers and value, base64."""

    headers: tuple[tuple[str, str], ...]
    value: str | None = None


class Changed(Resource):
    """How much was changed."""

    count: int


def moment(text: str) -> datetime:
    """A time with its offset from UTC (RFC 3339), or how long ago: `90s`, `15m`, `2h`, `7d`."""
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(f"{text!r}: give 2h for two hours ago, or 2026-01-31T12:00:00Z")
    return found


Ids = Annotated[list[str] | None, typer.Argument(metavar="WORK_ID", help="As `list` shows them.")]
Service = Annotated[
    Worker | None,
    typer.Option(help="webhooks: on its way to routes; connectors: to vendors. Both if absent."),
]
Integration = Annotated[str | None, typer.Option(help="Only of this integration.")]
Kind = Annotated[ErrorKind | None, typer.Option(help="Only what failed in this way.")]
Since = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="Changed since: 2h (ago), or a time."),
]
Until = Annotated[
    datetime | None, typer.Option(parser=moment, metavar="TIME", help="Changed before.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Of each service, at most.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which work is meant: what meets every criterion that is given."""

    integration: str | None = None
    kind: ErrorKind | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[str] = ()

    def criteria(self) -> dict[str, str]:
        """The criteria given, ids aside, as the API names them."""
        given = {
            "integration_id": self.integration,
            "kind": self.kind.value if self.kind else None,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def body(self) -> dict[str, JsonValue]:
        """As a request that changes work gives it. Raises typer.BadParameter for no criterion."""
        body: dict[str, JsonValue] = {**self.criteria()}
        if self.ids:
            body["work_ids"] = [*self.ids]
        if not body:
            raise typer.BadParameter(
                "say which: work ids, --integration, --kind, --since or --until"
            )
        return body


def workers(service: Worker | None) -> tuple[Worker, ...]:
    """The services that are asked."""
    return tuple(Worker) if service is None else (service,)


def listed(
    service: Worker | None, state: str, choice: Choice, limit: int
) -> list[tuple[Worker, Work]]:
    """Work of one service or of both, oldest first."""
    with connected() as api:
        found = [
            (worker, work)
            for worker in workers(service)
            for work in api.list(f"/api/work/{worker}/{state}", Work, choice.criteria(), limit)
        ]
    return sorted(found, key=lambda each: each[1].entered_at)


def change(
    service: Worker | None,
    path: str,
    choice: Choice,
    idempotency_key: str | None = None,
) -> dict[str, int]:
    """Change work of one service or of both; how much that was in each.

    Raises typer.BadParameter for no criterion.
    """
    body = choice.body()
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    counts: dict[str, int] = {}
    with connected() as api:
        for worker in workers(service):
            answer = api.post(f"/api/work/{worker}/{path}", Changed, body, headers=headers)
            counts[worker.value] = answer.count
    return counts


def told(counts: dict[str, int], what: str, as_json: bool) -> None:
    """Print how much was changed."""
    if as_json:
        print_json({**counts})
    elif not any(counts.values()):
        console.print("Nothing to do: no such work is there now.")
    else:
        of = ", ".join(f"{count} of {name}" for name, count in counts.items() if count)
        console.print(f"{what}: {of}.")


def raw_of(found: Sequence[tuple[Worker, Work]]) -> JsonValue:
    """A list for programs: what the API said, and of which service."""
    rows: list[JsonValue] = []
    for worker, work in found:
        assert isinstance(work.raw, dict)
        rows.append({"service": worker.value, **work.raw})
    return rows


def clock(at: datetime) -> str:
    """A time in the user's own zone."""
    return at.astimezone().strftime("%F %T")
