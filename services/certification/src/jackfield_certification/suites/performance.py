"""Suite "performance": the time that is added, calls at once, connections, ten times the limit."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from functools import partial

from jackfield_certification.emulator.faults import Latency
from jackfield_certification.suites.plan import CheckFailed, PlannedCheck, Trial
from jackfield_certification.suites.probe import Probe, safe_probe
from jackfield_common.connector.limits import SlidingWindow
from jackfield_common.connector.manifest import Manifest

SUITE = "performance"

_CALLS = 20
_MEDIAN_SECONDS = 0.5
_WORST_SECONDS = 2.0
_LATENCY = 0.3
_AT_ONCE = 24
_CONNECTIONS = 4
_BURST = 100
_BURST_SECONDS = 30.0


def checks(manifest: Manifest) -> Iterator[PlannedCheck]:
    """The checks of this suite for one connector."""
    probe = safe_probe(manifest)
    limited = any(isinstance(one, SlidingWindow) for one in manifest.limits)
    for name, weight, reason, run, inapplicable in (
        (
            "response_times",
            2,
            "What the product adds to the vendor's own time is small.",
            _response_times,
            None,
        ),
        (
            "concurrency",
            2,
            "A slow vendor makes its callers wait beside each other, not behind each other.",
            _concurrency,
            "calls are spaced by the vendor's declared limit" if limited else None,
        ),
        (
            "resource_utilisation",
            1,
            "Connections are kept and used again.",
            _connections,
            None,
        ),
        (
            "scalability",
            2,
            "A burst is worked off completely: nothing lost, nothing done twice.",
            _burst,
            None,
        ),
    ):
        yield PlannedCheck(
            SUITE, name, weight, reason, partial(run, probe=probe), inapplicable=inapplicable
        )


async def _response_times(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    times: list[float] = []
    await _call(trial, probe, twin.integration_id)
    for _ in range(_CALLS):
        started = time.perf_counter()
        await _call(trial, probe, twin.integration_id)
        times.append(time.perf_counter() - started)
    median, worst = statistics.median(times), max(times)
    trial.evidence.add("times", milliseconds=[round(one * 1_000, 1) for one in times])
    if median > _MEDIAN_SECONDS or worst > _WORST_SECONDS:
        raise CheckFailed(
            f"median {median * 1_000:.0f} ms, worst {worst * 1_000:.0f} ms; allowed are"
            f" {_MEDIAN_SECONDS * 1_000:.0f} and {_WORST_SECONDS * 1_000:.0f} ms"
        )
    return f"median {median * 1_000:.0f} ms, worst {worst * 1_000:.0f} ms of {_CALLS} calls"


async def _concurrency(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    await _call(trial, probe, twin.integration_id)
    trial.vendor.faults.plan(Latency(_LATENCY))
    started = time.perf_counter()
    await asyncio.gather(*(_call(trial, probe, twin.integration_id) for _ in range(_AT_ONCE)))
    took = time.perf_counter() - started
    one_by_one = _AT_ONCE * _LATENCY
    if took > one_by_one / 2:
        raise CheckFailed(
            f"{_AT_ONCE} calls of a vendor that takes {_LATENCY:g} s took {took:.1f} s"
            f" (one by one: {one_by_one:.1f} s)"
        )
    return f"{_AT_ONCE} calls in {took:.1f} s (one by one: {one_by_one:.1f} s)"


async def _connections(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    mark = trial.vendor.calls.mark
    for _ in range(_CALLS):
        await _call(trial, probe, twin.integration_id)
    calls = trial.vendor.calls.since(mark)
    connections = len({call.connection for call in calls})
    trial.evidence.add("connections", calls=len(calls), connections=connections)
    if connections > _CONNECTIONS:
        raise CheckFailed(f"{len(calls)} calls one after another opened {connections} connections")
    return f"{len(calls)} calls over {connections} connection(s)"


async def _burst(trial: Trial, *, probe: Probe) -> str:
    window = next((one for one in trial.manifest.limits if isinstance(one, SlidingWindow)), None)
    # Ten times the limit where that is worked off in the time of a check.
    wanted = _BURST
    if window is not None:
        wanted = max(2, min(window.calls * 10, int(window.calls / window.seconds * 10)))
        wanted = min(wanted, _BURST)
    twin = await probe.twin(trial)
    await _call(trial, probe, twin.integration_id)
    mark = trial.vendor.calls.mark
    exceeded = trial.vendor.limits.exceeded
    started = time.perf_counter()
    await asyncio.gather(
        *(_call(trial, probe, twin.integration_id, wait=60) for _ in range(wanted))
    )
    took = time.perf_counter() - started
    calls = trial.vendor.calls.since(mark)
    steps = len(probe.recording.steps) if probe.recording else 1
    over = trial.vendor.limits.exceeded - exceeded
    trial.evidence.add(
        "burst", asked=wanted, calls=len(calls), exceeded=over, seconds=round(took, 2)
    )
    if over:
        raise CheckFailed(f"{over} of {wanted} calls exceeded the vendor's limit")
    if len(calls) != wanted * steps:
        raise CheckFailed(f"{wanted} actions became {len(calls)} calls of a healthy vendor")
    if took > _BURST_SECONDS:
        raise CheckFailed(f"{wanted} actions at once took {took:.1f} s")
    return f"{wanted} actions at once in {took:.1f} s, each done once"


async def _call(trial: Trial, probe: Probe, integration_id: str, *, wait: float = 30) -> None:
    trial.vendor.expect(probe.recording)
    result = await trial.front_door.act(integration_id, probe.action.name, probe.given, wait=wait)
    if not result.success:
        raise CheckFailed(f"the action failed ({result.error}): {result.message}")
