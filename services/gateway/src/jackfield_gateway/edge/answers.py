"""HTTP answers as bytes, made ahead where they can be."""

import json
from email.utils import formatdate
from typing import Final

from jackfield_gateway.edge.reasons import PROBLEMS, Problem, Reason

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
PROBLEM_TYPE: Final = "urn:jackfield:problem:"

_EVENT_ID_LENGTH: Final = 26
_ACCEPTED_BODY: Final = '{"status":"accepted","eventId":"%s"}'
_ACCEPTED_LENGTH: Final = len(_ACCEPTED_BODY % ("x" * _EVENT_ID_LENGTH))


class Answers:
    """Answers with a Date header that `tick` keeps right (RFC 9110, 6.6.1)."""

    def __init__(self, retry_after: int) -> None:
        self._retry_after = retry_after
        self._bodies: dict[Problem, bytes] = {}
        self._head = b""
        self._head_closing = b""
        self._date = b""

    def tick(self, now: float) -> None:
        """Set the time; call once a second with seconds since the epoch."""
        self._date = b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n"
        start = b"HTTP/1.1 202 Accepted\r\n" + self._date + b"content-type: application/json\r\n"
        length = b"content-length: %d\r\n" % _ACCEPTED_LENGTH
        body = b'\r\n{"status":"accepted","eventId":"'
        self._head = start + length + body
        self._head_closing = start + length + b"connection: close\r\n" + body

    def accepted(self, event_id: bytes, keep_alive: bool) -> bytes:
        """202 with the event's id."""
        assert len(event_id) == _EVENT_ID_LENGTH
        return (self._head if keep_alive else self._head_closing) + event_id + b'"}'

    def refused(
        self,
        reason: Reason,
        *,
        keep_alive: bool,
        retry_after: float | None = None,
        head_only: bool = False,
        challenge: str = "Webhook",
    ) -> bytes:
        """A problem document (RFC 9457). It says nothing of what was expected."""
        problem = PROBLEMS[reason]
        body = self._bodies.get(problem)
        if body is None:
            body = self._bodies[problem] = json.dumps(
                {
                    "type": PROBLEM_TYPE + problem.type,
                    "title": problem.phrase,
                    "status": problem.status,
                    "detail": problem.detail,
                }
            ).encode()
        extra: dict[str, str] = {}
        if problem.retry:
            wait = self._retry_after if retry_after is None else retry_after
            extra["retry-after"] = str(max(1, int(wait + 0.999)))
        if problem.status == 401:
            extra["www-authenticate"] = challenge
        return self.other(
            problem.status,
            problem.phrase,
            body,
            content_type="application/problem+json",
            headers=extra,
            keep_alive=keep_alive,
            head_only=head_only,
        )

    def other(
        self,
        status: int,
        phrase: str,
        body: bytes,
        *,
        content_type: str | None,
        headers: dict[str, str],
        keep_alive: bool,
        head_only: bool = False,
    ) -> bytes:
        """Any other answer. Header values must hold no line breaks."""
        lines = [f"HTTP/1.1 {status} {phrase}\r\n".encode(), self._date]
        if content_type is not None:
            lines.append(f"content-type: {content_type}\r\n".encode())
        lines += [f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items()]
        lines.append(b"x-content-type-options: nosniff\r\n")
        if status != 204:
            lines.append(b"content-length: %d\r\n" % len(body))
        if not keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        if not head_only and status != 204:
            lines.append(body)
        return b"".join(lines)
