"""What runs in the sandbox stays within its limits, and harms nobody else."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator

import pytest
from pydantic import JsonValue

from jackfield_common.errors import NotReady
from jackfield_common.events.message import JsonObject
from jackfield_common.expressions.limits import EvaluationLimits
from jackfield_common.expressions.program import Failed, Matched, NotMatched, Program
from jackfield_common.expressions.sandbox import Sandbox

EVENT: JsonObject = {
    "event_type": "push",
    "canonical_type": None,
    "data": {
        "repository": {"full_name": "acme/site"},
        "commits": [{"id": str(number), "added": number} for number in range(20)],
        "note": "a" * 40,
        "long": "ab" * 500_000,
        "huge": 2**70,
        "nothing": None,
    },
}
DOCUMENT = json.dumps(EVENT).encode()
SLOW = Program(
    "event.data.commits.all(a, event.data.commits.all(b, event.data.commits.all(c,"
    " !event.data.long.matches('a.*b.*c$'))))"
)
GOOD = Program("event.event_type == 'push'", "{'text': data.repository.full_name}")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("event.event_type == 'push'", True),
        ("event.event_type == 'tag'", False),
        ("event.canonical_type == 'push'", False),
        ("event.data.repository.full_name.startsWith('acme/')", True),
        ("event.data.commits.exists(c, c.added > 18)", True),
        ("size(event.data.commits) == 20", True),
        ("has(event.data.missing) && event.data.missing == 1", False),
        ("event.data.nothing == null", True),
        ("event.data.huge > 1.0", True),
        ("event.data.commits[0].id in ['0', '1']", True),
        ("event.data.missing == 1 || event.event_type == 'push'", True),
    ],
)
async def test_conditions(sandbox: Sandbox, condition: str, holds: bool) -> None:
    outcome = await sandbox.evaluate(DOCUMENT, [Program(condition)])
    assert outcome == [Matched() if holds else NotMatched()]


@pytest.mark.parametrize(
    ("transform", "output"),
    [
        (
            "{'text': event_type & ' to ' & data.repository.full_name}",
            {"text": "push to acme/site"},
        ),
        ("{'ids': data.commits[added > 17].id}", {"ids": ["18", "19"]}),
        ("{'total': $sum(data.commits.added)}", {"total": 190}),
        ("{'absent': data.missing, 'null': data.nothing}", {"null": None}),
        ("{'huge': data.huge}", {"huge": 2**70}),
        ("{'range': [1..3]}", {"range": [1, 2, 3]}),
    ],
)
async def test_transformations(
    sandbox: Sandbox, transform: str, output: dict[str, JsonValue]
) -> None:
    assert await sandbox.evaluate(DOCUMENT, [Program(None, transform)]) == [Matched(output)]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (Program("event.data.missing == 1"), "Key not found"),
        (Program("1 / size(event.data.commits) - 1 / 0 == 1"), "divide by zero"),
        (Program("event.event_type"), "true or false, this one was STRING"),
        (Program("event.nonsense("), "line 1, column"),
        (Program(None, "'text'"), "yielded a string"),
        (Program(None, "data.missing"), "yielded nothing"),
        (Program(None, "{'a': event_type + 1}"), "must evaluate to a number"),
        (Program(None, "{'a': $number(event_type)}"), "fails with ValueError"),
        (Program(None, "{'a': $string}"), "not JSON"),
        (Program(None, "{'a': $pad('x', 1100000)}"), "the result has"),
        (Program(None, "($f := function($x){$f($x)}; $f(1))"), "more than 50 ms"),
        (Program(None, "($f := function($x){$f($x) + 1}; $f(1))"), "JSONata"),
        (Program(None, "{'a': $match(data.note, /(a+)+b/)}"), "more than 50 ms"),
        (Program(None, "{'a': $pad('x', 4000000000)}"), "too much memory"),
        (Program(None, "{'a': [1..9000000]}"), "more than 50 ms"),
        (
            SLOW,
            "takes too long",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_fails_says_why_and_fails_alone(
    sandbox: Sandbox, program: Program, says: str
) -> None:
    before, failed, after = await sandbox.evaluate(DOCUMENT, [GOOD, program, GOOD])
    assert before == after == Matched({"text": "acme/site"})
    assert isinstance(failed, Failed)
    assert says in failed.message


async def test_variables_do_not_outlive_an_evaluation(sandbox: Sandbox) -> None:
    writes = Program(None, "($secret := data.note; {'a': 1})")
    reads = Program(None, "{'a': $exists($secret)}")
    assert await sandbox.evaluate(DOCUMENT, [writes, reads]) == [
        Matched({"a": 1}),
        Matched({"a": False}),
    ]


async def test_the_clock_is_that_of_the_evaluation(sandbox: Sandbox) -> None:
    clock = Program(None, "{'at': $millis()}")
    first = await sandbox.evaluate(DOCUMENT, [clock])
    await sandbox.evaluate(DOCUMENT, [Program(None, "{'another': 'expression'}")])
    second = await sandbox.evaluate(DOCUMENT, [clock])
    for _ in range(200):
        if second != first:
            break
        second = await sandbox.evaluate(DOCUMENT, [clock])
    assert second != first


async def test_the_environment_of_the_service_is_not_the_sandboxs(sandbox: Sandbox) -> None:
    await sandbox.evaluate(DOCUMENT, [GOOD])
    with open(f"/proc/{sandbox.pid}/environ", "rb") as file:  # noqa: ASYNC230
        assert b"JACKFIELD_" not in file.read()


async def test_a_program_that_was_stopped_rests_before_it_runs_again(sandbox: Sandbox) -> None:
    (first,) = await sandbox.evaluate(DOCUMENT, [SLOW])
    assert isinstance(first, Failed)
    await sandbox.evaluate(DOCUMENT, [GOOD])
    running = sandbox.pid
    (second,) = await sandbox.evaluate(DOCUMENT, [SLOW])
    assert second == first
    assert sandbox.pid == running


async def test_a_killed_process_costs_nobody_an_answer(sandbox: Sandbox) -> None:
    await sandbox.evaluate(DOCUMENT, [GOOD])
    asked = [asyncio.create_task(sandbox.evaluate(DOCUMENT, [GOOD])) for _ in range(50)]
    await asyncio.sleep(0)
    assert sandbox.pid is not None
    os.kill(sandbox.pid, signal.SIGKILL)
    for outcome in await asyncio.gather(*asked):
        assert outcome == [Matched({"text": "acme/site"})]


async def test_whoever_waits_at_the_end_is_told() -> None:
    async with Sandbox(EvaluationLimits(seconds=5, hard_seconds=5)) as sandbox:
        await sandbox.evaluate(DOCUMENT, [GOOD])
        waiting = asyncio.create_task(
            sandbox.evaluate(DOCUMENT, [Program(None, "($f := function($x){$f($x)}; $f(1))")])
        )
        await asyncio.sleep(0.05)
        assert not waiting.done()
    with pytest.raises(NotReady):
        await waiting
    with pytest.raises(NotReady):
        await sandbox.evaluate(DOCUMENT, [GOOD])
