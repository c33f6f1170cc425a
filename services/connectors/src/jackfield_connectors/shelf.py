"""Where the operations of all connectors stand ready: the catalogue's, and those that a tenant submitted."""

from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.discovery import Catalogue
from jackfield_connectors.engine.operations import Operation, Operations


class CatalogueShelf:
    """The operations of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._operations = {
            slug: Operations(loaded.manifest, loaded.connector)
            for slug, loaded in catalogue.connectors.items()
        }

    def find(self, connector: str, action: str) -> Operation:
        """The action of a connector. Raises Failure(INVALID)."""
        operations = self._operations.get(connector)
        if operations is None:
            raise Failure(
                ErrorKind.INVALID, f"no connector {connector} is installed", field="connector"
            )
        return operations.find(action)
