"""A signed webhook in, a vendor call out: how long from the one to the other, at a steady rate.

The vendor is a receiver in this process. The baseline of the same run is the same receiver called
directly, at the same rate: what the machine and the load generator take by themselves.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from benchmarks.installation import Running, installation, restart_seconds
from benchmarks.machine import describe, percentile, table

SECRET = secrets.token_hex(16)


@dataclass
class Receiver:
    """A vendor that notes when each message arrived, by the id in its text."""

    arrived: dict[str, float] = field(default_factory=dict[str, float])
    repeated: int = 0

    async def receive(self, request: web.Request) -> web.Response:
        """Answer as a Slack incoming webhook does."""
        text = (await request.json())["text"]
        if text in self.arrived:
            self.repeated += 1
        self.arrived.setdefault(text, time.perf_counter())
        return web.Response(text="ok")

    async def start(self) -> tuple[web.AppRunner, str]:
        """Listen on a free loopback port."""
        app = web.Application()
        app.router.add_post("/services/T0/B0/x", self.receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        return runner, f"http://127.0.0.1:{port}/services/T0/B0/x"


async def prepare(running: Running, receiver_url: str) -> str:
    """Install source and target and the route between them; the webhook's address."""
    async with running.client() as api:

        async def install(template: str, credentials: dict[str, str]) -> dict[str, str]:
            answer = await api.post(
                "/api/marketplace/install", json={"template_name": template, "config_overrides": {}}
            )
            answer.raise_for_status()
            installed = answer.json()
            answer = await api.post(
                "/api/marketplace/configure",
                json={"integration_id": installed["integration_id"], "credentials": credentials},
            )
            answer.raise_for_status()
            return installed

        source = await install("github", {"webhook_secret": SECRET})
        target = await install("slack", {"webhook_url": receiver_url})
        answer = await api.post(
            "/api/routes",
            json={
                "name": "benchmark",
                "source": source["integration_id"],
                "events": ["push"],
                "target": {
                    "integration_id": target["integration_id"],
                    "action": "send_message",
                    "input": {},
                    "transform": '{"text": data.after}',
                },
            },
        )
        answer.raise_for_status()
    return source["webhook_url"]


def push(number: int) -> tuple[str, bytes, dict[str, str]]:
    """A signed push of about 2 KB, unlike every other; its sha is what arrives."""
    sha = secrets.token_hex(20)
    body = json.dumps(
        {
            "ref": "refs/heads/main",
            "after": sha,
            "repository": {"full_name": f"acme/{number % 50}"},
            "pusher": {"name": "ada"},
            "commits": [{"message": "x" * 1800}],
        }
    ).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return (
        sha,
        body,
        {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": secrets.token_hex(16),
            "X-Hub-Signature-256": f"sha256={signature}",
        },
    )


async def steady(
    url: str, receiver: Receiver, rate: int, seconds: float, *, direct: bool = False
) -> tuple[list[float], int]:
    """Send at `rate` a second; the sorted latencies in ms, and how many never arrived."""
    sent: dict[str, float] = {}
    refused = 0
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(number: int) -> None:
            nonlocal refused
            sha, body, headers = push(number)
            if direct:
                body, headers = json.dumps({"text": sha}).encode(), {}
            sent[sha] = time.perf_counter()
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status >= 300:
                    refused += 1

        began = time.perf_counter()
        pending: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(send(number))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        deadline = time.perf_counter() + 20
        while any(sha not in receiver.arrived for sha in sent) and time.perf_counter() < deadline:
            await asyncio.sleep(0.05)
    latencies = sorted(
        (receiver.arrived[sha] - at) * 1000 for sha, at in sent.items() if sha in receiver.arrived
    )
    if refused:
        print(f"{refused} requests were refused")
    return latencies, sum(sha not in receiver.arrived for sha in sent)


async def main() -> None:
    """Print the tables."""
    print(f"Machine: {describe()}\n")
    receiver = Receiver()
    runner, receiver_url = await receiver.start()
    async with installation() as running:
        url = await prepare(running, receiver_url)
        await steady(url, receiver, 20, 3)
        rows: list[tuple[object, ...]] = []
        for label, rate, direct in (
            ("receiver called directly (baseline)", 200, True),
            ("webhook → action", 200, False),
            ("webhook → action", 500, False),
        ):
            before = running.cpu_seconds()
            where = receiver_url if direct else url
            latencies, lost = await steady(where, receiver, rate, 10, direct=direct)
            used = running.cpu_seconds()
            spent = {name: used[name] - before.get(name, 0) for name in used}
            events = rate * 10
            rows.append(
                (
                    label,
                    rate,
                    f"{percentile(latencies, 0.5):.1f}",
                    f"{percentile(latencies, 0.99):.1f}",
                    lost,
                    "-"
                    if direct
                    else ", ".join(
                        f"{name} {1e6 * seconds / events:.0f}"
                        for name, seconds in spent.items()
                        if seconds > 0.05
                    ),
                )
            )
        print("\n## Webhook to vendor call\n")
        print(table(("way", "per second", "p50 ms", "p99 ms", "lost", "CPU µs an event"), rows))
        print(f"\nRepeated calls: {receiver.repeated}")
        memory = running.memory()
        print("\n## Memory after the load\n")
        print(table(("process", "MB"), [(name, f"{size:.0f}") for name, size in memory.items()]))
        warm = await restart_seconds(running.state)
        print("\n## Start\n")
        print(
            table(
                ("start", "seconds"),
                [("fresh data", f"{running.start_seconds:.1f}"), ("warm", f"{warm:.1f}")],
            )
        )
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
