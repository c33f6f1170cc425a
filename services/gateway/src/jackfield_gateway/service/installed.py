"""How an installation is shown: what it still needs, and how it does."""

import ipaddress
from urllib.parse import urlsplit

from jackfield_common.connector.manifest import Manifest
from jackfield_common.events.health import Health, HealthState
from jackfield_gateway.models.integration import InstalledIntegration, Integration
from jackfield_gateway.service.catalogue import Catalogue
from jackfield_gateway.service.configuration import webhook_path
from jackfield_gateway.service.ports import View
from jackfield_gateway.service.sign_in import missing_fields, needed_webhook_fields


class InstalledView:
    """Shows installations."""

    def __init__(self, catalogue: Catalogue, health: View[HealthState], public_url: str) -> None:
        self._catalogue = catalogue
        self._health = health
        self._public_url = public_url.rstrip("/")
        self._reachable = not _is_loopback(public_url)

    def of(self, one: Integration) -> InstalledIntegration:
        """An installation as the API shows it. Raises NotReady while the catalogue is being loaded."""
        manifest = self._catalogue.connector(one.connector)
        state = self._health.get(one.integration_id)
        url = self._webhook_url(manifest, one)
        missing = missing_fields(manifest, one) if manifest else ()
        steps = manifest.webhook.setup if manifest and manifest.webhook else ()
        proven = (
            manifest is not None
            and manifest.webhook is not None
            and not any(field.used_for == "webhook" for field in missing)
        )
        return InstalledIntegration(
            integration_id=one.integration_id,
            template_name=one.template,
            connector=one.connector,
            title=manifest.title if manifest else one.connector,
            category=manifest.category if manifest else None,
            name=one.name,
            config=one.config,
            auth=one.auth,
            enabled=one.enabled,
            credential_status=one.credential_status,
            credential_message=one.credential_message,
            credential_version=one.credential_version,
            webhook_url=url,
            webhook_secret_configured=proven,
            setup_steps=tuple(step.replace("{url}", url or "") for step in steps),
            missing_fields=missing,
            warnings=self._warnings(manifest, one, proven=proven),
            health=state.status if state else Health.UNKNOWN,
            version=one.version,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )

    def _webhook_url(self, manifest: Manifest | None, one: Integration) -> str | None:
        if manifest is None or manifest.webhook is None:
            return None
        return f"{self._public_url}/webhooks/{webhook_path(one.config) or one.integration_id}"

    def _warnings(
        self, manifest: Manifest | None, one: Integration, *, proven: bool
    ) -> tuple[str, ...]:
        warnings: list[str] = []
        if manifest is None:
            warnings.append(f"The connector {one.connector} is not in the catalogue any more.")
            return tuple(warnings)
        if manifest.webhook is not None and not proven:
            needed = needed_webhook_fields(manifest, one.config)
            names = ", ".join(field.name for field in needed)
            warnings.append(
                f"No webhook secret is configured: webhooks are refused until {names} is given"
                " through POST /api/marketplace/configure."
            )
        if manifest.webhook is not None and not self._reachable:
            warnings.append(
                "The webhook address can only be reached from this machine: set"
                " JACKFIELD_PUBLIC_URL to the address that the vendor can reach."
            )
        if one.credential_status == "failed":
            warnings.append(f"The credential was not kept: {one.credential_message}")
        if one.credential_status in ("sign_in", "reconnect"):
            warnings.append(
                f"{one.credential_message} POST"
                f" /api/marketplace/installed/{one.integration_id}/authorize gives the link."
            )
        if not one.enabled:
            warnings.append("The integration is disabled: it takes no webhooks and no actions.")
        return tuple(warnings)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
