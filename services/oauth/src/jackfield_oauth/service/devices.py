"""A person says what a device may do."""

from dataclasses import dataclass
from typing import Final

from jackfield_common.ids import new_id
from jackfield_common.outbox import Outbox
from jackfield_oauth.models import Client, Device, Grant, Scope, SignedIn
from jackfield_oauth.repository.devices import Devices
from jackfield_oauth.repository.people import People
from jackfield_oauth.service.authorization import AuthorizationService
from jackfield_oauth.service.effects import Effects
from jackfield_oauth.service.people import LockedOut, Rejected
from jackfield_oauth.service.protocol.device import user_digest
from jackfield_oauth.service.protocol.facts import StartGrant
from jackfield_oauth.service.secrets import SecretHash

_WINDOW_SECONDS: Final = 900.0
_WRONG_CODES: Final = 10


@dataclass(frozen=True, slots=True)
class WaitingDevice:
    """A device, and whose it is."""

    device: Device
    client: Client


class DeviceApproval:
    """Shows people the devices that wait, and takes their word."""

    def __init__(
        self,
        outbox: Outbox,
        devices: Devices,
        people: People,
        effects: Effects,
        authorization: AuthorizationService,
        secrets: SecretHash,
    ) -> None:
        self._outbox = outbox
        self._devices = devices
        self._people = people
        self._effects = effects
        self._authorization = authorization
        self._secrets = secrets

    async def find(self, user_code: str, signed_in: SignedIn) -> WaitingDevice:
        """The device that shows this code. Raises Rejected; too many wrong codes lock out."""
        subject = self._secrets.digest(f"device:{signed_in.person.user_id}")
        if await self._people.failures(subject, _WINDOW_SECONDS) >= _WRONG_CODES:
            raise LockedOut("Too many codes were wrong. Try again in a quarter of an hour.")
        device = await self._devices.waiting(user_digest(self._secrets, user_code))
        client = None if device is None else await self._authorization.clients.get(device.client_id)
        if device is None or client is None or client.tenant != signed_in.person.tenant:
            await self._people.note_failure([subject], _WINDOW_SECONDS)
            raise Rejected("No device shows this code, or it waited too long. Look again.")
        if Scope.SUDO in device.scopes and not signed_in.person.role.administers:
            raise Rejected("This device asks for what is for administrators alone.")
        return WaitingDevice(device, client)

    async def decide(self, user_code: str, signed_in: SignedIn, *, allowed: bool) -> None:
        """Carry out what the person answered. Raises Rejected."""
        waiting = await self.find(user_code, signed_in)
        grant = Grant(
            grant_id=new_id(),
            client_id=waiting.client.client_id,
            user_id=signed_in.person.user_id,
            tenant=signed_in.person.tenant,
            scopes=waiting.device.scopes,
            auth_time=signed_in.at,
        )
        async with self._outbox.transaction() as connection:
            if not allowed:
                await self._devices.deny(connection, waiting.device)
                return
            await self._effects.write(connection, [StartGrant(grant)])
            if not await self._devices.allow(connection, waiting.device, grant.grant_id):
                raise Rejected("Somebody answered this device before.")
