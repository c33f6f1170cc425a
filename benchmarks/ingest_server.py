"""The receivers of `benchmarks.ingest`: `python -m benchmarks.ingest_server <way> <port> <number>`.

Says in one line of JSON what it serves, then serves until it is told to end.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import structlog
import uvicorn
import uvloop
from pydantic import SecretStr

from jackfield_common.connector.auth import NoAuth
from jackfield_common.connector.manifest import Category, Manifest
from jackfield_common.connector.verification import Hmac
from jackfield_common.connector.webhook import Webhook
from jackfield_common.envelope import encode
from jackfield_common.events.delivery import DeliveryVerified
from jackfield_common.events.integration import IntegrationState
from jackfield_common.events.manifest import ManifestState
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId, derived_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.sealing import Keys, create_missing_keys
from jackfield_common.settings import Settings
from jackfield_common.state import ReadModel
from jackfield_common.topics import Service
from jackfield_gateway.edge import Edge, EdgeSettings

INTEGRATIONS = 96
SECRET = "the secret of a benchmark"  # noqa: S105 - it protects nothing
CONNECTOR = "github"


def integration_ids() -> list[str]:
    """The integrations that posts are for; enough of them to reach every partition."""
    return [derived_id("benchmark", str(number)) for number in range(INTEGRATIONS)]


def settings() -> Settings:
    """The servers named in the environment."""
    keys = Path(os.environ["JACKFIELD_KEYS_DIR"])
    create_missing_keys(keys)
    return Settings(
        kafka_bootstrap_servers=os.environ["JACKFIELD_KAFKA_BOOTSTRAP_SERVERS"],
        postgres_dsn=SecretStr(os.environ["JACKFIELD_POSTGRES_DSN"]),
        keys_dir=keys,
    )


async def install(kafka: Kafka, keys: Keys) -> None:
    """Publish the connector and its integrations."""
    publisher = Publisher(kafka)
    await publisher.start()
    await publisher.publish(
        ManifestState(
            tenant=DEFAULT_TENANT,
            version=1,
            manifest=Manifest(
                slug=CONNECTOR,
                title="GitHub",
                description="A source.",
                category=Category.SOURCE_CONTROL,
                docs="https://docs.github.com",
                version="1.0.0",
                auth=(NoAuth(),),
                test="test_connection",
                actions=(),
                webhook=Webhook(
                    verify=Hmac(header="X-Hub-Signature-256", prefix="sha256="),
                    delivery_id="header:X-GitHub-Delivery",
                    event_type="header:X-GitHub-Event +? '.' + body:action",
                    ordering="body:repository.full_name",
                    headers=("X-GitHub-Hook-ID",),
                    setup=("Enter {url}",),
                ),
            ),
        )
    )
    sealed = (keys.seal(Service.GATEWAY, "webhook_secret", SECRET.encode()),)
    for integration in integration_ids():
        await publisher.publish(
            IntegrationState(
                tenant=DEFAULT_TENANT,
                version=1,
                integration_id=IntegrationId(integration),
                template=CONNECTOR,
                connector=CONNECTOR,
                name=integration,
                webhook_secrets=sealed,
            )
        )
    await publisher.stop()


def say() -> None:
    """Tell the benchmark that posts may come."""
    print(json.dumps({"integrations": integration_ids(), "secret": SECRET}), flush=True)


async def edge(port: int, number: int) -> None:
    """The webhook listener, with everything switched on."""
    kafka = Kafka(settings(), Service.GATEWAY, str(number))
    keys = Keys.load(kafka.settings.keys_dir, Service.GATEWAY)
    if number == 0:
        await kafka.create_topics()
        await Kafka(kafka.settings, Service.CONNECTORS, "0").create_topics()
        await install(kafka, keys)
    integrations, manifests = ReadModel(kafka, IntegrationState), ReadModel(kafka, ManifestState)
    await integrations.start()
    await manifests.start()
    limits: dict[str, Any] = {
        "integration_rate": 100_000,
        "integration_burst": 1_000_000,
        "source_rate": 1_000_000,
        "source_burst": 1_000_000,
    }
    listener = Edge(
        kafka,
        integrations,
        manifests,
        keys,
        EdgeSettings(port=port, reuse_port=True, **limits),
    )
    await listener.start()
    while not (listener.ready and len(integrations) == INTEGRATIONS):
        await asyncio.sleep(0.05)
    say()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await listener.stop()
    await integrations.stop()
    await manifests.stop()


async def asgi(port: int, number: int) -> None:
    """What one would write first: uvicorn, an ASGI function, an acknowledged send a request."""
    kafka = Kafka(settings(), Service.GATEWAY, str(number))
    await kafka.create_topics()
    publisher = Publisher(kafka)
    await publisher.start()
    known = set(integration_ids())

    async def receive(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = dict(scope["headers"])
        integration = scope["path"].removeprefix("/webhooks/")
        wanted = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        given = headers.get(b"x-hub-signature-256", b"").decode()
        if integration in known and hmac.compare_digest(f"sha256={wanted}", given):
            event = DeliveryVerified(
                tenant=DEFAULT_TENANT,
                integration_id=IntegrationId(integration),
                connector=CONNECTOR,
                delivery_id=headers.get(b"x-github-delivery", b"").decode(),
                content_type=headers.get(b"content-type", b"").decode(),
                headers={"x-github-event": headers.get(b"x-github-event", b"").decode()},
                body=body.decode(),
            )
            await publisher.send(encode(event, kafka.service, kafka.naming))
            status, answer = 202, b'{"status":"accepted","eventId":"%b"}' % event.id.encode()
        else:
            status, answer = 401, b"{}"
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})

    config = uvicorn.Config(
        receive, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    say()
    await serving
    await publisher.stop()


def main() -> None:
    """Serve one way."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    way, port, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    uvloop.run({"edge": edge, "asgi": asgi}[way](port, number))


if __name__ == "__main__":
    main()
