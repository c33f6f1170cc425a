"""What an operator does with parked and dead work, through the command that the API sends."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.command import WebhooksCommand
from jackfield_common.events.question import Answer
from jackfield_common.ids import TenantId
from jackfield_common.lanes import Policy, Work
from jackfield_common.lanes.commands import carry_out
from jackfield_common.lanes.parking import Parking
from tests.integration.lanes.conftest import Bench, Seen, until

TENANT = TenantId("default")
PARK = Policy(max_retries=1_000, initial_delay=3_600, max_delay=3_600, park_after=0.0)
GIVE_UP = Policy(max_retries=0)


async def ask(bench: Bench, verb: Any, **fields: Any) -> Answer:
    command = WebhooksCommand(tenant=fields.pop("tenant", TENANT), verb=verb, **fields)
    return await carry_out(command, Parking(bench.pool))


async def done(bench: Bench, verb: Any, **fields: Any) -> Any:
    answer = await ask(bench, verb, **fields)
    assert answer.success, answer.message
    return answer.data


class Vendor:
    """Fails while it is down."""

    def __init__(self) -> None:
        self.down = True
        self.seen = Seen()

    async def handle(self, work: Work) -> None:
        if self.down:
            raise Failure(ErrorKind.UNAVAILABLE, "down", retry_after=3_600)
        self.seen.add(work)


async def test_parked_work_is_listed_retried_now_and_runs_in_order(bench: Bench) -> None:
    vendor = Vendor()
    for number in range(5):
        await bench.send("key", number, "lane")
    async with bench.lanes(vendor.handle, policy=PARK):
        await until(bench.all_committed)
        listed = await done(bench, "list", integration_id="key", limit=2)
        assert [one["offset"] for one in listed["works"]] == [0, 1]
        assert listed["works"][0]["kind"] == "unavailable"
        assert [one["attempts"] for one in listed["works"]] == [1, 0]
        rest = await done(bench, "list", integration_id="key", cursor=listed["cursor"])
        assert [one["offset"] for one in rest["works"]] == [2, 3, 4]
        assert rest["cursor"] is None
        vendor.down = False
        assert await done(bench, "retry", work_ids=[listed["works"][1]["id"]]) == {"lanes": 1}
        await until(lambda: len(vendor.seen.works) == 5)
        await until(lambda: _empty(bench))
    assert vendor.seen.numbers("key", "lane") == [0, 1, 2, 3, 4]


async def _empty(bench: Bench) -> bool:
    return await bench.rows("state = 'parked'") == []


async def test_cancelled_work_never_runs_and_its_lane_goes_on_without_it(bench: Bench) -> None:
    vendor = Vendor()
    for number in range(4):
        await bench.send("key", number)
    async with bench.lanes(vendor.handle, policy=PARK):
        await until(bench.all_committed)
        works = (await done(bench, "list"))["works"]
        ids = [works[0]["id"], works[2]["id"]]
        assert await done(bench, "cancel", work_ids=ids) == {"works": 2}
        assert await done(bench, "cancel", work_ids=ids) == {"works": 0}
        vendor.down = False
        await until(lambda: vendor.seen.numbers("key") == [1, 3])
        await bench.send("key", 4)
        await until(lambda: vendor.seen.numbers("key") == [1, 3, 4])


async def test_a_dead_letter_is_read_and_replayed_once_by_one_command(bench: Bench) -> None:
    vendor = Vendor()
    await bench.send("key", 0, "lane", headers=[("x-raw", b"\xfe")])
    async with bench.lanes(vendor.handle, policy=GIVE_UP):
        await bench.dead_letters(1)
        (work,) = (await done(bench, "list", state="dead"))["works"]
        content = (await done(bench, "read", work_ids=[work["id"]]))["work"]
        assert base64.b64decode(content["value"]) == b"0"
        assert ["x-raw", base64.b64encode(b"\xfe").decode()] in content["headers"]
        command = WebhooksCommand(tenant=TENANT, verb="replay", work_ids=(work["id"],))
        parking = Parking(bench.pool)
        assert (await carry_out(command, parking)).data == {"works": 1}
        assert (await carry_out(command, parking)).data == {"works": 0}
        await bench.dead_letters(2)  # still down: it died again, and was fed again
        assert (await carry_out(command, parking)).data == {"works": 0}
        vendor.down = False
        assert await done(bench, "replay", integration_id="key") == {"works": 1}
        await until(lambda: vendor.seen.numbers("key", "lane") == [0])


async def test_what_is_replayed_runs_in_its_old_order_after_what_overtook_it(
    bench: Bench,
) -> None:
    seen = Seen()
    broken = {1, 2, 4}

    async def handle(work: Work) -> None:
        number = int(work.record.value or b"")
        if number in broken:
            raise Failure(ErrorKind.INVALID if number == 4 else ErrorKind.TIMEOUT, "no")
        seen.add(work)

    for number in range(6):
        await bench.send("key", number)
    async with bench.lanes(handle, policy=GIVE_UP):
        await bench.dead_letters(3)
        await until(lambda: seen.numbers("key") == [0, 3, 5])
        broken.clear()
        now = datetime.now(UTC)
        assert await done(bench, "replay", kind=ErrorKind.TIMEOUT, until=now) == {"works": 2}
        await until(lambda: seen.numbers("key") == [0, 3, 5, 1, 2])
        later = now + timedelta(hours=1)
        assert await done(bench, "replay", since=later) == {"works": 0}
        assert await done(bench, "replay", until=later) == {"works": 1}
        await until(lambda: seen.numbers("key") == [0, 3, 5, 1, 2, 4])


@pytest.mark.parametrize("verb", ["replay", "cancel"])
async def test_a_lane_blocked_by_policy_waits_for_its_owner(bench: Bench, verb: str) -> None:
    vendor = Vendor()
    for number in range(3):
        await bench.send("key", number)
    policy = Policy(max_retries=0, then="block")
    async with bench.lanes(vendor.handle, policy=policy):
        await bench.dead_letters(1)
        await bench.send("key", 3)
        await until(bench.all_committed)
        vendor.down = False
        (dead,) = (await done(bench, "list", state="dead"))["works"]
        assert dead["blocking"]
        assert len((await done(bench, "list"))["works"]) == 3
    async with bench.lanes(vendor.handle, policy=policy):  # a restart does not unblock it
        await bench.send("key", 4)
        await until(bench.all_committed)
        assert vendor.seen.works == []
        await done(bench, verb, state="dead", work_ids=[dead["id"]])
        first = [0] if verb == "replay" else []
        await until(lambda: vendor.seen.numbers("key") == [*first, 1, 2, 3, 4])


async def test_a_paused_integration_waits_in_order_and_others_go_on(bench: Bench) -> None:
    vendor = Vendor()
    vendor.down = False
    probe = 1_000

    async def parks() -> bool:
        # The worker looks once a second; what comes before that may still run.
        await bench.send("slow", probe)
        return bool(await bench.rows("cause = 'paused'"))

    def slow() -> list[int]:
        return [number for number in vendor.seen.numbers("slow") if number != probe]

    await done(bench, "pause", integration_id="slow")
    await done(bench, "pause", integration_id="slow")
    async with bench.lanes(vendor.handle):
        await until(parks)
        for number in range(20):
            await bench.send("slow" if number % 2 else "fast", number)
        await until(lambda: len(vendor.seen.numbers("fast")) == 10)
        await until(bench.all_committed)
        assert (await done(bench, "list"))["paused"] == ["slow"]
        assert slow() == []
        await done(bench, "resume", integration_id="slow")
        await until(lambda: slow() == list(range(1, 20, 2)))
        await bench.send("slow", 21)
        await until(lambda: slow() == [*range(1, 20, 2), 21])


async def test_what_carries_out_commands_does_not_wait_for_a_paused_integration(
    bench: Bench,
) -> None:
    vendor = Vendor()
    vendor.down = False

    async def parks() -> bool:
        await bench.send("slow", 0)
        return bool(await bench.rows("cause = 'paused'"))

    await done(bench, "pause", integration_id="slow")
    async with bench.lanes(vendor.handle):
        await until(parks)
    async with bench.lanes(vendor.handle, pausable=False):
        await bench.send("slow", 1)
        await until(lambda: vendor.seen.numbers("slow")[-1:] == [1])
    assert (await done(bench, "list"))["paused"] == ["slow"]


async def test_nobody_sees_or_changes_the_work_of_another_tenant(bench: Bench) -> None:
    vendor = Vendor()
    await bench.send("key", 0)
    async with bench.lanes(vendor.handle, policy=GIVE_UP):
        await bench.dead_letters(1)
        other = TenantId("other")
        (work,) = (await done(bench, "list", state="dead"))["works"]
        assert (await done(bench, "list", state="dead", tenant=other))["works"] == []
        assert await done(bench, "replay", work_ids=[work["id"]], tenant=other) == {"works": 0}
        assert await done(bench, "cancel", state="dead", work_ids=[work["id"]], tenant=other) == {
            "works": 0
        }
        answer = await ask(bench, "read", work_ids=[work["id"]], tenant=other)
        assert answer.error is ErrorKind.NOT_FOUND
        await done(bench, "pause", integration_id="key", tenant=other)
        vendor.down = False
        await done(bench, "replay", work_ids=[work["id"]])
        await until(lambda: vendor.seen.numbers("key") == [0])


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("replay", {}),
        ("retry", {}),
        ("cancel", {"state": "dead"}),
        ("pause", {}),
        ("read", {"work_ids": ("a", "b")}),
        ("list", {"cursor": "nonsense"}),
    ],
)
async def test_a_command_that_says_too_little_is_refused(
    bench: Bench, verb: str, fields: dict[str, Any]
) -> None:
    answer = await ask(bench, verb, **fields)
    assert not answer.success
    assert answer.error is ErrorKind.INVALID
