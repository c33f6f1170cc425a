"""What certification finds of a connector in the small product, with or without faults."""

from pathlib import Path

from jackfield_certification.emulator import VendorEmulator
from jackfield_certification.front_door import FrontDoor
from jackfield_certification.service.examiner import Examiner
from jackfield_certification.suites import Trial, plan
from jackfield_certification.twin import Twins
from jackfield_common.connector.manifest import Manifest
from jackfield_common.events.certification import Check
from tests.integration.certification.product import Product


class Memory:
    def __init__(self) -> None:
        self.twins: set[str] = set()

    async def announce(self, name: str) -> None:
        self.twins.add(name)

    async def removed(self, name: str) -> None:
        self.twins.discard(name)


async def examined(
    connector: Manifest,
    directory: Path,
    *broken: str,
    suites: tuple[str, ...] = ("basic_functionality",),
    check_seconds: float = 30,
    patience: float = 0.2,
) -> list[Check]:
    """What certification finds when this connector runs in a product with these faults."""
    found: list[Check] = []

    async def keep(position: int, check: Check) -> None:
        found.append(check)

    memory = Memory()
    async with (
        Product(connector, directory, frozenset(broken)) as product,
        VendorEmulator(connector) as vendor,
        FrontDoor(
            product.url, product.api_key_file, product.webhook_url, patience=patience
        ) as front_door,
    ):
        twins = Twins(connector, vendor, front_door, memory, {})
        examiner = Examiner(Trial(connector, vendor, front_door, twins), check_seconds, keep, 1.0)
        try:
            await examiner.examine(plan(connector, suites), ())
        finally:
            await twins.remove_all()
        assert not product.installed, "a twin was left behind"
        assert not memory.twins
    return found


def lost(checks: list[Check]) -> set[str]:
    """The names of the checks that apply and did not pass."""
    return {check.name for check in checks if check.outcome not in ("passed", "not_applicable")}
