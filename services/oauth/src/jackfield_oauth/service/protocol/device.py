"""Device authorization (RFC 8628): a device asks, a person at another screen answers."""

from datetime import timedelta
from typing import Any, Final, cast

from authlib.oauth2.rfc6749 import (
    ClientMixin,
    InvalidGrantError,
    TokenEndpoint,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc8628 import (
    DEVICE_CODE_GRANT_TYPE,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
)

from jackfield_common.events.message import now
from jackfield_oauth.models import Device, Person, scopes_of
from jackfield_oauth.service.protocol.facts import KeepDevice, PollDevice, RevokeGrant, UseDevice
from jackfield_oauth.service.protocol.grants import METHODS
from jackfield_oauth.service.protocol.request import ProtocolRequest, RegisteredClient
from jackfield_oauth.service.secrets import SecretHash, new_secret

GRANT_TYPE: Final = DEVICE_CODE_GRANT_TYPE
DEVICE_PATH: Final = "/device"
DEVICE_CODE: Final = "jf_dc_"
LIFETIME: Final = timedelta(minutes=10)
INTERVAL: Final = 5
_SLOWER: Final = 5


def user_digest(secrets: SecretHash, user_code: str) -> bytes:
    """What is kept of a user code: typed in any case, with or without its hyphen."""
    letters = "".join(one for one in user_code.upper() if one.isascii() and one.isalpha())
    return secrets.digest(f"user-code:{letters[:16]}")


class DeviceAuthorization(DeviceAuthorizationEndpoint):
    """Gives a device its two codes."""

    CLIENT_AUTH_METHODS: Final = METHODS
    EXPIRES_IN = int(LIFETIME.total_seconds())
    INTERVAL = INTERVAL

    def __init__(
        self, server: Any, request: ProtocolRequest, issuer: str, secrets: SecretHash
    ) -> None:
        super().__init__(server)  # pyright: ignore[reportUnknownMemberType]
        self._request = request
        self._issuer = issuer
        self._secrets = secrets

    def authenticate_client(self, request: Any) -> ClientMixin:
        """The client, which has to be registered for this grant."""
        client = cast(ClientMixin, super().authenticate_client(request))  # pyright: ignore[reportUnknownMemberType]
        if not client.check_grant_type(GRANT_TYPE):
            raise UnauthorizedClientError(description="The client may not use the device grant.")
        return client

    def generate_device_code(self) -> str:
        """A code with 256 random bits."""
        return new_secret(DEVICE_CODE)

    def get_verification_uri(self) -> str:
        """Where the person goes."""
        return self._issuer + DEVICE_PATH

    def save_device_credential(self, client_id: str, scope: str, data: Any) -> None:
        """Keep what was given."""
        client = self._request.facts.client
        assert client is not None
        allowed = RegisteredClient(client).get_allowed_scope(scope)
        self._request.effects.append(
            KeepDevice(
                Device(
                    device_digest=self._secrets.digest(data["device_code"]),
                    user_digest=user_digest(self._secrets, data["user_code"]),
                    client_id=client_id,
                    scopes=scopes_of(allowed),
                    expires_at=now() + LIFETIME,
                    interval=INTERVAL,
                )
            )
        )


class PresentedDevice:
    """A device, in Authlib's terms."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def get_client_id(self) -> str:
        """Whose it is."""
        return self.device.client_id

    def get_scope(self) -> str:
        """What it asked for."""
        return " ".join(self.device.scopes)

    def get_user_code(self) -> str:
        """Not known any more: its hash is."""
        return ""

    def is_expired(self) -> bool:
        """Whether nobody answered in time."""
        return self.device.expires_at <= now() and self.device.grant is None


class DeviceGrant(DeviceCodeGrant):
    """Exchanges a device code, once a person allowed it."""

    TOKEN_ENDPOINT_AUTH_METHODS = list(METHODS)

    @property
    def _asked(self) -> ProtocolRequest:
        assert isinstance(self.request, ProtocolRequest)
        return self.request

    def query_device_credential(self, device_code: str) -> PresentedDevice:
        """The device of this request. Raises InvalidGrantError; a second use ends the grant."""
        device, client = self._asked.facts.device, self._asked.facts.client
        if device is None or client is None or device.client_id != client.client_id:
            raise InvalidGrantError(description="The device code is not known.")
        if device.used:
            assert device.grant is not None
            self._asked.effects.append(RevokeGrant(device.grant, "its device code was used twice"))
            raise InvalidGrantError(description="The device code was used before.")
        if device.grant is not None and (device.grant.revoked or self._asked.facts.person is None):
            raise InvalidGrantError(description="What this code hung on was revoked.")
        return PresentedDevice(device)

    def query_user_grant(self, user_code: str) -> tuple[Person | None, bool] | None:
        """What the person said: nothing yet, yes or no."""
        device = self._asked.facts.device
        assert device is not None
        if device.denied:
            return None, False
        if device.grant is None:
            return None
        self._asked.effects.append(UseDevice(device.device_digest))
        return self._asked.facts.person, True

    def should_slow_down(self, credential: PresentedDevice) -> bool:
        """Whether it asks more often than it was told to; each time it does, it waits longer."""
        device = credential.device
        soon = (
            device.polled_at is not None
            and device.polled_at + timedelta(seconds=device.interval) > now()
        )
        interval = device.interval + _SLOWER if soon else device.interval
        self._asked.effects.append(PollDevice(device.device_digest, interval))
        return soon


Endpoint = TokenEndpoint | DeviceAuthorization
"""What a server can be given as an endpoint."""
