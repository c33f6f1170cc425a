"""Suite "reliability": errors, limits, timeouts and recovery, against a vendor that misbehaves."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import jsonschema

from jackfield_certification.emulator import Call
from jackfield_certification.emulator.faults import (
    Drift,
    Fault,
    HalfBody,
    Latency,
    Reset,
    Stall,
    Status,
    drifted,
)
from jackfield_certification.emulator.paging import PagedList
from jackfield_certification.emulator.refusals import acting_out
from jackfield_certification.suites.plan import CheckFailed, PlannedCheck, Trial
from jackfield_certification.suites.probe import Probe, safe_probe, unsafe_probe
from jackfield_certification.twin import Twin
from jackfield_common.connector.auth import SecretUrl
from jackfield_common.connector.limits import HeaderBudget, SlidingWindow
from jackfield_common.connector.manifest import ActionManifest, Manifest
from jackfield_common.connector.pages import OnePage
from jackfield_common.connector.selector import at_path
from jackfield_common.errors import RETRYABLE, ErrorKind

SUITE = "reliability"

_RETRY_AFTER = 2.0
_BUDGET_SECONDS = 2.0
_GIVE_UP = 1.5
"""How long the product may try an action whose failure is to be seen."""
_SLOW = 0.3
_QUIET = 0.5
"""How long after a result the vendor is watched for calls that should not come."""
_DURING_OUTAGE = 10
_LARGEST_WINDOW_CALLS = 200
_LONGEST_WINDOW = 5.0
_LONGEST_TIMEOUT = 60.0
_TOLERANCE = 0.05

_BY_STATUS = {
    401: ErrorKind.AUTH,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    422: ErrorKind.INVALID,
    429: ErrorKind.RATE_LIMITED,
    500: ErrorKind.UNAVAILABLE,
    503: ErrorKind.UNAVAILABLE,
}


def checks(manifest: Manifest) -> Iterator[PlannedCheck]:
    """The checks of this suite for one connector."""
    probe = safe_probe(manifest)
    for kind, faults in _error_answers(manifest, probe).items():
        yield PlannedCheck(
            SUITE,
            f"error_handling:{kind.value}",
            1,
            "Whoever reads the error must be able to tell what to do about it.",
            partial(_error_kind, probe=probe, kind=kind, faults=faults),
        )
    yield from _limit_checks(manifest, probe)
    timeout = probe.action.timeout
    yield PlannedCheck(
        SUITE,
        "timeout_handling",
        2,
        "A vendor that says nothing must not hold its callers.",
        partial(_timeout, probe=probe),
        inapplicable=(
            f"the connection test may take {timeout:g} s, longer than a check waits"
            if timeout > _LONGEST_TIMEOUT
            else None
        ),
    )
    recoveries: tuple[tuple[str, Fault], ...] = (
        ("unavailable", Status(503)),
        ("reset", Reset()),
        ("half_answer", HalfBody()),
    )
    for name, fault in recoveries:
        yield PlannedCheck(
            SUITE,
            f"recovery:{name}",
            1,
            "A failure that passes is not the caller's business.",
            partial(_recovers, probe=probe, fault=fault),
        )
    unsafe = unsafe_probe(manifest)
    yield PlannedCheck(
        SUITE,
        "no_doubled_work",
        2,
        "What must not be done twice is not repeated when its outcome is unknown.",
        partial(_not_doubled, probe=unsafe or probe),
        inapplicable=None if unsafe else "no recorded action is declared unsafe to repeat",
    )
    yield PlannedCheck(
        SUITE,
        "outage",
        2,
        "A vendor that is down is not hammered, and is found again when it is back.",
        partial(_outage, probe=probe),
    )
    yield PlannedCheck(
        SUITE,
        "schema_drift",
        1,
        "An answer that is not what was declared is an error, not data.",
        partial(_drift, probe=probe),
        inapplicable=_why_no_drift(probe),
    )
    for action in manifest.actions:
        pages = action.http.pages if action.http is not None else None
        if pages is not None and not isinstance(pages, OnePage):
            yield _paging_check(action)


def _error_answers(manifest: Manifest, probe: Probe) -> dict[ErrorKind, list[Status]]:
    """The answers to act out, by the kind that each must be reported as; the first rule wins."""
    answers: dict[ErrorKind, list[Status]] = {}
    rules = (*probe.action.errors, *manifest.errors)
    if not isinstance(probe.auth, SecretUrl):
        for rule in rules:
            answers.setdefault(rule.kind, []).append(acting_out(rule))
    claimed = {rule.status for rule in rules if rule.header is None and rule.body is None}
    for status, kind in _BY_STATUS.items():
        # What these say is HTTP's own (RFC 9110, 15; RFC 6585, 4): no error map makes it another thing.
        if status in (401, 404, 429) or status not in claimed:
            given = answers.setdefault(kind, [])
            if Status(status) not in given:
                given.append(Status(status))
    return answers


async def _error_kind(trial: Trial, *, probe: Probe, kind: ErrorKind, faults: list[Status]) -> str:
    twin: Twin | None = None
    for fault in faults:
        trial.vendor.faults.clear()
        # Failures of the vendor open a circuit breaker or a limiter, which would answer in its place.
        if twin is None or kind in RETRYABLE:
            twin = await probe.twin(trial)
        trial.vendor.faults.plan(fault)
        mark = trial.vendor.calls.mark
        result = await probe.call(trial, twin, wait=_GIVE_UP if kind in RETRYABLE else 20)
        calls = trial.calls_since(mark)
        if not calls:
            raise CheckFailed("nothing reached the vendor")
        if result.success:
            raise CheckFailed(f"the vendor answered {fault.status}, and the result is a success")
        if result.error is not kind:
            raise CheckFailed(
                f"an answer {fault.status} {fault.headers or ''} {fault.body or ''} is reported as"
                f" {result.error}, expected is {kind.value}"
            )
        if kind not in RETRYABLE and len(calls) > 1:
            raise CheckFailed(
                f"an error of the kind {kind.value} was retried {len(calls) - 1} times"
            )
    return f"{len(faults)} answer(s) of the vendor are told as {kind.value}"


def _limit_checks(manifest: Manifest, probe: Probe) -> Iterator[PlannedCheck]:
    yield PlannedCheck(
        SUITE,
        "rate_limit_compliance",
        2,
        "Retry-After is an order (RFC 9110, 10.2.3).",
        partial(_retry_after, probe=probe),
    )
    yield PlannedCheck(
        SUITE,
        "rate_limit_backoff",
        1,
        "A vendor that refuses without saying for how long is approached more slowly.",
        partial(_backoff, probe=probe),
    )
    budget = any(isinstance(one, HeaderBudget) for one in manifest.limits)
    yield PlannedCheck(
        SUITE,
        "rate_limit_budget",
        1,
        "The budget that a vendor announces is not overdrawn.",
        partial(_budget, probe=probe),
        inapplicable=None if budget else "the vendor announces no budget in its answers",
    )
    windows = [one for one in manifest.limits if isinstance(one, SlidingWindow)]
    small = [
        one
        for one in windows
        if one.calls <= _LARGEST_WINDOW_CALLS and one.seconds <= _LONGEST_WINDOW
    ]
    yield PlannedCheck(
        SUITE,
        "rate_limit_window",
        1,
        "The declared number of calls a time is not exceeded.",
        partial(_window, probe=probe, calls=max((one.calls for one in small), default=0)),
        inapplicable=None
        if small
        else "its windows are too large to be filled in a check"
        if windows
        else "the vendor declares no calls a time",
    )


async def _retry_after(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    trial.vendor.faults.plan(Status(429, retry_after=f"{_RETRY_AFTER:g}"), times=1)
    mark = trial.vendor.calls.mark
    result = await probe.call(trial, twin, wait=_RETRY_AFTER + 15)
    calls = trial.calls_since(mark)
    _expect_success(result.success, result.message)
    gap = _gaps(calls)[0] if len(calls) > 1 else 0.0
    if gap < _RETRY_AFTER - _TOLERANCE:
        raise CheckFailed(f"the vendor asked for {_RETRY_AFTER:g} s and was left {gap:.2f} s")
    return f"asked for {_RETRY_AFTER:g} s, waited {gap:.2f} s"


async def _backoff(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    trial.vendor.faults.plan(Status(429), times=3)
    mark = trial.vendor.calls.mark
    result = await probe.call(trial, twin, wait=30)
    calls = trial.calls_since(mark)
    _expect_success(result.success, result.message)
    gaps = _gaps(calls)
    if sum(gaps) < 0.3:
        raise CheckFailed(f"three refusals were followed by new calls within {sum(gaps):.2f} s")
    return "waited " + ", ".join(f"{gap:.2f} s" for gap in gaps)


async def _budget(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    vendor = trial.vendor
    vendor.limits.set_budget(2, _BUDGET_SECONDS)
    exceeded = vendor.limits.exceeded
    try:
        # The first answer tells the budget; the others must keep to what is left of it.
        results = [await probe.call(trial, twin, wait=30)]
        # Slow answers: whoever waits to be told that nothing is left learns it too late.
        vendor.faults.plan(Latency(_SLOW), times=3)
        results += await asyncio.gather(*(probe.call(trial, twin, wait=30) for _ in range(3)))
    finally:
        vendor.limits.set_budget(5_000, 3_600)
    over = vendor.limits.exceeded - exceeded
    if over:
        raise CheckFailed(f"{over} call(s) came although the announced budget was spent")
    for result in results:
        _expect_success(result.success, result.message)
    return "two calls before the budget was spent, the others after it was refilled"


async def _window(trial: Trial, *, probe: Probe, calls: int) -> str:
    twin = await probe.twin(trial)
    exceeded = trial.vendor.limits.exceeded
    gate = asyncio.Semaphore(64)

    async def one() -> bool:
        async with gate:
            return bool((await probe.call(trial, twin, wait=40)).success)

    wanted = calls + max(1, calls // 10)
    results = await asyncio.gather(*(one() for _ in range(wanted)))
    over = trial.vendor.limits.exceeded - exceeded
    if over:
        raise CheckFailed(f"{over} of {wanted} calls exceeded the declared limit")
    if not all(results):
        raise CheckFailed(f"{results.count(False)} of {wanted} calls failed")
    return f"{wanted} calls asked for at once, never more than {calls} in the window"


async def _timeout(trial: Trial, *, probe: Probe) -> str:
    timeout = probe.action.timeout
    twin = await probe.twin(trial)
    trial.vendor.faults.plan(Stall(timeout + 30))
    started = time.monotonic()
    result = await probe.call(trial, twin, wait=min(60.0, timeout + 1), seconds=timeout * 2 + 6)
    took = time.monotonic() - started
    if result.success or result.error is not ErrorKind.TIMEOUT:
        raise CheckFailed(
            f"the vendor said nothing, and the result is {result.error or 'a success'}"
        )
    if took > timeout * 2 + 5:
        raise CheckFailed(f"the declared timeout is {timeout:g} s, the caller waited {took:.1f} s")
    return f"given up after {took:.1f} s (declared: {timeout:g} s an attempt)"


async def _recovers(trial: Trial, *, probe: Probe, fault: Fault) -> str:
    twin = await probe.twin(trial)
    trial.vendor.faults.plan(fault, times=2)
    mark = trial.vendor.calls.mark
    result = await probe.call(trial, twin, wait=30)
    calls = trial.calls_since(mark)
    _expect_success(result.success, result.message)
    return f"a success after {len(calls)} attempts"


async def _not_doubled(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    trial.vendor.faults.plan(Reset(), times=1)
    mark = trial.vendor.calls.mark
    result = await probe.call(trial, twin, wait=5)
    await trial.vendor.calls.wait_for(2, mark, _QUIET)
    calls = trial.calls_since(mark)
    if len(calls) != 1:
        raise CheckFailed(
            f"{probe.action.name} is unsafe to repeat; the connection broke after the request,"
            f" and the vendor got it {len(calls)} times"
        )
    if result.success or result.error is not ErrorKind.OUTCOME_UNKNOWN:
        raise CheckFailed(
            f"nobody knows whether it was done, and the result is {result.error or 'a success'}"
        )
    return "one request, and the result says that its outcome is unknown"


async def _outage(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    trial.vendor.faults.plan(Status(503))
    mark = trial.vendor.calls.mark
    for _ in range(_DURING_OUTAGE):
        result = await probe.call(trial, twin, wait=_GIVE_UP)
        if result.success:
            raise CheckFailed("the vendor was down, and the result is a success")
    calls = len(trial.vendor.calls.since(mark))
    trial.evidence.add("outage", asked=_DURING_OUTAGE, calls=calls)
    # Each of them alone would try more than once: recovery asks for that.
    if calls > _DURING_OUTAGE:
        raise CheckFailed(
            f"{_DURING_OUTAGE} actions became {calls} calls of a vendor that was down"
        )
    trial.vendor.faults.clear()
    result = await probe.call(trial, twin, wait=60, seconds=70)
    _expect_success(result.success, f"after the outage: {result.message}")
    return f"{calls} calls for {_DURING_OUTAGE} actions during the outage, a success after it"


async def _drift(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    trial.vendor.faults.plan(Drift())
    result = await probe.call(trial, twin, wait=_GIVE_UP)
    if result.success:
        raise CheckFailed("every value's type had changed, and the result is a success")
    return f"reported as {result.error}"


def _why_no_drift(probe: Probe) -> str | None:
    """Why changed types need not be noticed: the declared output allows for them."""
    call = probe.action.call(probe.auth.kind)
    if call is None:
        return "the connection test is code: what it reads of an answer is not declared"
    if call.answer != "json":
        return "the connection test reads no JSON"
    if probe.recording is None:
        return None
    answered = probe.recording.steps[-1].response.body
    read = at_path(answered, call.result_path) if call.result_path else answered
    validator = jsonschema.Draft202012Validator(probe.action.output)
    if not any(validator.iter_errors(drifted(read))):  # pyright: ignore[reportUnknownMemberType] - untyped
        return "the declared output allows for any types"
    return None


def _paging_check(action: ActionManifest) -> PlannedCheck:
    return PlannedCheck(
        SUITE,
        f"pagination:{action.name}",
        1,
        "A list is whole: every page once, and it ends.",
        partial(_pages, action=action),
    )


async def _pages(trial: Trial, *, action: ActionManifest) -> str:
    assert action.http is not None
    assert action.http.pages is not None
    assert not isinstance(action.http.pages, OnePage)
    recorded = next((one for one in trial.vendor.routes.of(action.name) if one.succeeds), None)
    if recorded is None:
        raise CheckFailed("no list is recorded, so that nothing says what its pages look like")
    twin = await trial.twins.ready(trial.auth(recorded.auth), recorded.config)
    pages = PagedList(action.name, action.http.pages, recorded.steps[0].response.body)
    trial.vendor.paged = pages
    mark = trial.vendor.calls.mark
    given = {**recorded.input, "limit": 10_000}
    result = await trial.front_door.act(twin.integration_id, action.name, given)
    calls = trial.calls_since(mark)
    _expect_success(result.success, result.message)
    size = pages.page_size(calls[0].request)
    wanted = size * pages.full_pages + 1
    data = result.data if isinstance(result.data, dict) else {}
    items = data.get("items")
    found = len(items) if isinstance(items, list) else 0
    if found != wanted:
        raise CheckFailed(f"the vendor has {wanted} items, the result holds {found}")
    if data.get("complete") is not True:
        raise CheckFailed("the list is whole, and the result does not say so")
    asked = [(call.request.path, call.request.query, call.request.body) for call in calls]
    if len(set(asked)) != len(asked):
        raise CheckFailed("a page was asked for twice")
    return f"{found} items from {len(calls)} pages of {size}"


def _gaps(calls: tuple[Call, ...]) -> list[float]:
    return [later.at - earlier.at for earlier, later in pairwise(calls)]


def _expect_success(success: bool | None, message: str) -> None:
    if not success:
        raise CheckFailed(f"the action failed: {message}")
