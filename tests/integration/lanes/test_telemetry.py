"""What an operator sees: one trace over all attempts, and figures that say what waits and why."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import REGISTRY

from jackfield_common import telemetry
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.lanes import Policy, Work
from tests.integration.lanes.conftest import Bench, until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    provider = TracerProvider()
    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "tracer", provider.get_tracer("test"))
        yield


def figure(name: str) -> float:
    return REGISTRY.get_sample_value(f"jackfield_lanes_{name}", {"consumer": "bench"}) or 0.0


def counted(name: str, **labels: str) -> float:
    return (
        REGISTRY.get_sample_value(f"jackfield_lanes_{name}_total", {"consumer": "bench", **labels})
        or 0.0
    )


async def test_every_attempt_continues_the_trace_of_its_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[tuple[str, int]] = []

    async def handle(work: Work) -> None:
        context = trace.get_current_span().get_span_context()
        spans.append((trace.format_trace_id(context.trace_id), context.span_id))
        if len(spans) < 3:
            raise Failure(ErrorKind.UNAVAILABLE, "later", retry_after=0.1)

    await bench.send("key", 0, headers=[("traceparent", PARENT.encode())])
    # Parked in between: the trace survives the database as well.
    with recording(monkeypatch):
        async with bench.lanes(handle, policy=Policy(park_after=0)):
            await until(lambda: len(spans) == 3)
            await until(bench.all_committed)
    assert {name for name, _ in spans} == {TRACE}
    assert len({span for _, span in spans}) == 3


async def test_the_figures_say_what_waits_and_why(bench: Bench) -> None:
    before = {
        "retries": counted("retries", kind="unavailable"),
        "dead": counted("dead", kind="invalid"),
        "parked": counted("parked", cause="failure"),
        "done": counted("done"),
    }

    async def handle(work: Work) -> None:
        if work.key == "down":
            raise Failure(ErrorKind.UNAVAILABLE, "down", retry_after=3_600)
        if work.key == "bad":
            raise Failure(ErrorKind.INVALID, "wrong")

    for number in range(3):
        await bench.send("down", number)
    await bench.send("bad", 3)
    for number in range(5):
        await bench.send("good", number)
    async with bench.lanes(handle, policy=Policy(park_after=0)):
        await until(bench.all_committed)
        await until(
            lambda: (
                (figure("parked_lanes"), figure("parked_records"), figure("lag_records"))
                == (1, 3, 0)
            )
        )
        assert figure("partitions") == 4
        assert figure("backlog_records") == 0, "work that is not due cannot run"
        assert figure("held_records") == 0
        await until(lambda: counted("done") - before["done"] == 5)
    assert counted("retries", kind="unavailable") - before["retries"] == 1
    assert counted("dead", kind="invalid") - before["dead"] == 1
    assert counted("parked", cause="failure") - before["parked"] == 1
