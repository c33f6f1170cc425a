"""Publishing the catalogue: a manifest gets a new version where its content changed."""

import hashlib

import structlog

from jackfield_common.events.manifest import ManifestState
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.outbox import Outbox
from jackfield_common.topics import MANIFEST
from jackfield_connectors.discovery import Catalogue
from jackfield_connectors.repository import Repository

log = structlog.get_logger(__name__)


async def publish(catalogue: Catalogue, repository: Repository, outbox: Outbox) -> int:
    """Publish what is new or changed; returns how many manifests that were.

    Manifests of connectors that this process does not know stay: a newer version of the service may
    have published them.
    """
    published = 0
    async with outbox.transaction() as connection:
        known = await repository.lock_manifests(connection)
        for slug, loaded in catalogue.connectors.items():
            content = loaded.manifest.model_dump_json().encode()
            digest = hashlib.sha256(content).hexdigest()
            version, before = known.get(slug, (0, None))
            if digest == before:
                continue
            state = ManifestState(
                tenant=DEFAULT_TENANT, version=version + 1, manifest=loaded.manifest
            )
            await outbox.put(connection, state)
            await repository.keep_manifest(connection, slug, version + 1, digest)
            published += 1
    log.info("manifests_published", changed=published, of=len(catalogue.connectors))
    return published


async def withdraw(slug: str, repository: Repository, outbox: Outbox) -> bool:
    """Withdraw a connector that no worker has any more; False when it is not published."""
    async with outbox.transaction() as connection:
        version, digest = (await repository.lock_manifests(connection)).get(slug, (0, None))
        if digest is None:
            return False
        await outbox.delete(connection, MANIFEST, slug, version + 1)
        await repository.keep_manifest(connection, slug, version + 1, None)
    return True
