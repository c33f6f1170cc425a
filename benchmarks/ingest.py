"""Signed webhooks in, 202 out: requests a second, latency, CPU a request; beside a plain ASGI receiver.

    python -m benchmarks.ingest [--seconds 6] [--connections 1,16,64,256] [--workers 1,2]

Each way is a process of its own on the same real Kafka, the load generator another one. The posts are
2 KB, signed as GitHub does, distinct deliveries for integrations on all partitions. The baseline is
what one would write first: uvicorn, an ASGI function, one acknowledged send a request.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.machine import describe, table
from jackfield_cli.local.kafka import kafka_for_tests
from jackfield_cli.local.places import cache_directory
from jackfield_cli.local.ports import free_ports

HERE: Final = Path(__file__).parent
SIZE: Final = 2048
HEADINGS: Final = (
    "way", "workers", "connections", "accepted/s", "p50 ms", "p99 ms", "p99.9 ms",
    "CPU µs each", "RSS MB",
)  # fmt: skip


@contextmanager
def serving(
    way: str, workers: int, environment: dict[str, str]
) -> Generator[tuple[dict[str, Any], list[psutil.Process]]]:
    """The processes of one way; what the first one says it serves."""
    port = free_ports(1)[0]
    processes: list[subprocess.Popen[str]] = []
    try:
        said: dict[str, Any] = {}
        for number in range(workers):
            command = [sys.executable, "-m", "benchmarks.ingest_server", way, str(port)]
            command += [str(number)]
            process = subprocess.Popen(  # noqa: S603
                command,
                stdout=subprocess.PIPE,
                stdin=subprocess.PIPE,
                env=environment,
                cwd=HERE.parent,
                text=True,
            )
            processes.append(process)
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{way} did not start")
            said = said or json.loads(line)
        yield said | {"port": port}, [psutil.Process(one.pid) for one in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


def loaded(said: dict[str, Any], connections: int, seconds: float) -> dict[str, Any]:
    """Run the load generator."""
    command = [sys.executable, "-m", "benchmarks.ingest_load"]
    question = json.dumps(said | {"connections": connections, "seconds": seconds, "size": SIZE})
    answer = subprocess.run(  # noqa: S603
        command,
        input=question,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=HERE.parent,
        timeout=seconds + 60,
    )
    return json.loads(answer.stdout)


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of CPU that these processes used."""
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def main() -> None:
    """Measure every way at every number of connections."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--connections", default="1,16,64,256")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--ways", default="asgi,edge")
    arguments = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jackfield-")))
        servers = stack.enter_context(kafka_for_tests(directory, cache_directory()))
        environment = os.environ | {
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": servers,
            "JACKFIELD_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/nothing",
            "JACKFIELD_KEYS_DIR": str(directory / "keys"),
        }
        for way in arguments.ways.split(","):
            for workers in [int(one) for one in arguments.workers.split(",")]:
                if way == "asgi" and workers > 1:
                    continue
                with serving(way, workers, environment) as (said, processes):
                    loaded(said, 64, 2)  # warm
                    for connections in [int(one) for one in arguments.connections.split(",")]:
                        before, started = cpu(processes), time.monotonic()
                        result = loaded(said, connections, arguments.seconds)
                        spent = cpu(processes) - before
                        print(
                            f"{way} x{workers} at {connections}: {result['rate']:,.0f}/s"
                            f" ({time.monotonic() - started:.0f} s)",
                            flush=True,
                        )
                        if result["wrong"]:
                            print(f"  {result['wrong']} answers were not 202", flush=True)
                        rss = sum(one.memory_info().rss for one in processes)
                        rows.append(
                            (
                                way,
                                workers,
                                connections,
                                f"{result['rate']:,.0f}",
                                f"{result['p50']:.2f}",
                                f"{result['p99']:.2f}",
                                f"{result['p999']:.2f}",
                                f"{spent / max(1, result['count']) * 1e6:.0f}",
                                f"{rss / 2**20:.0f}",
                            )
                        )
    print(f"\n{describe()}\n\n{table(HEADINGS, rows)}")


if __name__ == "__main__":
    main()
