"""A connector's manifest on the bus."""

from typing import ClassVar

from jackfield_common.connector.manifest import Manifest
from jackfield_common.events.message import State
from jackfield_common.topics import MANIFEST, Topic


class ManifestState(State):
    """What a connector can do, for the gateway, the UI, webhooks and certification."""

    topic: ClassVar[Topic] = MANIFEST

    manifest: Manifest

    def key(self) -> str:
        """The connector's slug."""
        return self.manifest.slug
