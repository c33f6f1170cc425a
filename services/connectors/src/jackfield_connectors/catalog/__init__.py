"""The connectors: one folder a vendor, an island each, found and never listed."""

from collections.abc import Sequence
from pathlib import Path

from jackfield_connectors.discovery import Catalogue, discover

__all__ = ["load"]


def load(more: Sequence[Path] = ()) -> Catalogue:
    """Every connector of this package, then those in the folders below `more`."""
    return discover((Path(__file__).parent, *more))
