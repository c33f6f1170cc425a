"""The operator's command: `python -m jackfield_oauth client create --scope api --name ci`.

It talks to the service's own database, with the service's settings; secrets are printed once, to
standard output, as JSON.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

import structlog

from jackfield_common.database import open_database
from jackfield_common.errors import JackfieldError
from jackfield_common.ids import DEFAULT_TENANT, new_id, tenant_id
from jackfield_common.kafka import Kafka
from jackfield_common.outbox import Outbox
from jackfield_common.sealing import Keys
from jackfield_common.topics import Service
from jackfield_oauth.app import MIGRATIONS, key_policy, read_settings
from jackfield_oauth.models import Role
from jackfield_oauth.repository.clients import Clients
from jackfield_oauth.repository.keys import HashKeys, SigningKeys
from jackfield_oauth.repository.people import People
from jackfield_oauth.service.clients import ClientRegistry
from jackfield_oauth.service.passwords import Passwords
from jackfield_oauth.service.people import Membership
from jackfield_oauth.service.protocol.server import SCOPES
from jackfield_oauth.service.secrets import SecretHash
from jackfield_oauth.service.signing_keys import KeyRing
from jackfield_oauth.settings import OauthSettings


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    settings = read_settings()
    # Standard output holds the result alone, so that a script can read it.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        result = asyncio.run(_run(parsed, settings))
    except JackfieldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0


async def _run(parsed: argparse.Namespace, settings: OauthSettings) -> dict[str, object]:
    keys = Keys.load(settings.keys_dir, Service.OAUTH)
    pool = await open_database(settings, Service.OAUTH.value, MIGRATIONS)
    try:
        outbox = Outbox(pool, Kafka(settings, Service.OAUTH, f"command-{new_id()[:10]}"))
        if parsed.noun == "key":
            ring = KeyRing(key_policy(settings), keys, outbox, SigningKeys(pool))
            return {"kid": await ring.rotate()}
        secrets = await SecretHash.load(keys, HashKeys(pool))
        if parsed.noun == "user":
            people = Membership(settings.issuer, outbox, People(pool), secrets, Passwords())
            link = await people.invite(
                tenant=parsed.tenant, role=Role(parsed.role), email=parsed.email, actor="operator"
            )
            return {"invitation": link}
        registry = ClientRegistry(outbox, Clients(pool), secrets)
        made = await registry.create(
            tenant=parsed.tenant,
            name=parsed.name,
            scopes=parsed.scope,
            actor="operator",
            redirect_uris=parsed.redirect_uri,
            public=parsed.public,
            devices=parsed.devices,
            introspects=parsed.introspects,
        )
        return {
            "client_id": made.client.client_id,
            **({"client_secret": made.secret} if made.secret else {}),
            "tenant": made.client.tenant,
            "scope": " ".join(made.client.scopes),
        }
    finally:
        await pool.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jackfield_oauth")
    nouns = parser.add_subparsers(dest="noun", required=True)
    client = nouns.add_parser("client", help="registered clients").add_subparsers(
        dest="verb", required=True
    )
    create = client.add_parser("create", help="make a client for client credentials")
    create.add_argument("--name", default="client", help="what people call it")
    create.add_argument("--tenant", type=tenant_id, default=DEFAULT_TENANT)
    create.add_argument("--scope", action="append", required=True, choices=SCOPES)
    create.add_argument(
        "--redirect-uri", action="append", default=[], help="for people who sign in through it"
    )
    create.add_argument("--devices", action="store_true", help="for devices without a browser")
    create.add_argument("--public", action="store_true", help="an app that can keep no secret")
    create.add_argument(
        "--introspects", action="store_true", help="may ask about all tokens of its tenant"
    )
    user = nouns.add_parser("user", help="people").add_subparsers(dest="verb", required=True)
    invite = user.add_parser("invite", help="print a link by which a person becomes a user")
    invite.add_argument("--tenant", type=tenant_id, default=DEFAULT_TENANT)
    invite.add_argument("--role", default="developer", choices=[role.value for role in Role])
    invite.add_argument("--email", help="theirs; without it they choose")
    key = nouns.add_parser("key", help="signing keys").add_subparsers(dest="verb", required=True)
    key.add_parser("rotate", help="make a new signing key; it signs after the notice period")
    return parser
