"""What an answer means: data, or a failure of some kind."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from pydantic import JsonValue

from jackfield_common.connector.error_map import On
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.connector.selector import as_text, at_path
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.transport import Answer

MESSAGE_PATHS: Final = (
    "message",
    "error.message",
    "error_description",
    "errors.0.message",
    "errors.0.detail",
    "errors.0",
    "detail",
    "title",
    "description",
    "error",
)
"""Where vendors explain themselves, when a connector does not say it."""
MAX_MESSAGE: Final = 500
_NOT_JSON: Final = object()


def read_json(answer: Answer) -> JsonValue | object:
    """The answer's body as JSON; `NOT_JSON` where it is something else, None where it is empty."""
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def is_json(document: JsonValue | object) -> bool:
    """Whether `read_json` found JSON."""
    return document is not _NOT_JSON


class ErrorMap:
    """The rules of an action before those of its connector, then what HTTP itself says (RFC 9110, 15)."""

    def __init__(
        self,
        rules: Sequence[On],
        budgets: Sequence[HeaderBudget] = (),
        message_paths: Sequence[str] = (),
    ) -> None:
        self._rules = tuple(rules)
        self._in_success = any(rule.status < 400 for rule in rules)
        self._budgets = tuple(budgets)
        self._message_paths = (*message_paths, *MESSAGE_PATHS)

    def failure(self, answer: Answer, document: JsonValue | object) -> Failure | None:
        """The failure that an answer stands for; None when it is a success."""
        if answer.status < 300 and not self._in_success:
            return None
        rule = next((rule for rule in self._rules if _matches(rule, answer, document)), None)
        if rule is not None:
            kind = rule.kind
        elif answer.status < 300:
            return None
        else:
            kind = _by_status(answer.status)
        return Failure(
            kind,
            self._message(answer, document),
            retry_after=self._retry_after(kind, rule, answer, document),
        )

    def _message(self, answer: Answer, document: JsonValue | object) -> str:
        said = None
        if isinstance(document, dict | list):
            for path in self._message_paths:
                said = as_text(at_path(document, path))  # pyright: ignore[reportUnknownArgumentType]
                if said:
                    break
        elif not is_json(document) and _is_text(answer):
            said = answer.body[: MAX_MESSAGE * 4].decode("utf-8", "replace").strip()
        text = f"the vendor answered {answer.status}"
        return f"{text}: {said[:MAX_MESSAGE]}" if said else text

    def _retry_after(
        self, kind: ErrorKind, rule: On | None, answer: Answer, document: JsonValue | object
    ) -> float | None:
        if kind not in (ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE):
            return None
        header = answer.headers.get("retry-after")
        if header is not None and (seconds := _seconds(header, answer)) is not None:
            return seconds
        if rule is not None and rule.retry_after is not None and isinstance(document, dict):
            value = at_path(document, rule.retry_after)  # pyright: ignore[reportUnknownArgumentType]
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
                return float(value)
        if kind is ErrorKind.RATE_LIMITED:
            for budget in self._budgets:
                if is_spent(budget, answer):
                    return refill_seconds(budget, answer)
        return None


def _matches(rule: On, answer: Answer, document: JsonValue | object) -> bool:
    if rule.status != answer.status and not (rule.status == 200 and answer.status < 300):
        return False
    if rule.header is not None:
        value = answer.headers.get(rule.header.lower())
        if value is None or (rule.equals is not None and value != rule.equals):
            return False
    if rule.body is not None:
        if not isinstance(document, dict | list):
            return False
        found = at_path(document, rule.body)  # pyright: ignore[reportUnknownArgumentType]
        if found is None or (rule.equals is not None and as_text(found) != rule.equals):
            return False
    return True


def _by_status(status: int) -> ErrorKind:
    match status:
        case 401:
            return ErrorKind.AUTH
        case 403:
            return ErrorKind.FORBIDDEN
        case 404 | 410:
            return ErrorKind.NOT_FOUND
        case 408:
            return ErrorKind.UNAVAILABLE
        case 429:
            return ErrorKind.RATE_LIMITED
        case _:
            return ErrorKind.UNAVAILABLE if status >= 500 else ErrorKind.INVALID


def refill_seconds(budget: HeaderBudget, answer: Answer) -> float | None:
    """In how many seconds a budget refills, by the answer's own clock; None where it does not say."""
    resets_at = answer.headers.get(budget.resets_at.lower())
    if resets_at is None:
        return None
    try:
        at = float(resets_at)
    except ValueError:
        return None
    return max(at if budget.relative else at - _vendor_now(answer), 0.0)


def is_spent(budget: HeaderBudget, answer: Answer) -> bool:
    """Whether the answer says that nothing is left of a budget."""
    try:
        return float(answer.headers.get(budget.remaining.lower(), "")) <= 0
    except ValueError:
        return False


def _seconds(value: str, answer: Answer) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3): seconds, or a date by the vendor's clock."""
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(at.timestamp() - _vendor_now(answer), 0.0)


def _vendor_now(answer: Answer) -> float:
    # the vendor's own clock, where it tells: ours may be off
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return datetime.now(UTC).timestamp()


def _is_text(answer: Answer) -> bool:
    content_type = answer.headers.get("content-type", "")
    return content_type.startswith("text/") and "html" not in content_type
