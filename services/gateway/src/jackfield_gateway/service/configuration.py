"""Configurations of installations, checked against what their connector declares."""

import re
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from jackfield_common.connector.declaration import COMMON_CONFIG
from jackfield_common.connector.manifest import Manifest, TemplateManifest
from jackfield_common.events.message import JsonObject
from jackfield_gateway.models.problem import FieldError, Invalid
from jackfield_gateway.service.addresses import Addresses, addresses_in
from jackfield_gateway.service.json_schema import check

BASE_URL: Final = "base_url"
"""Every connector can be pointed at a host inside the networks that the operator opened."""
WEBHOOK_PATH: Final = "webhook_path"
"""Every webhook source can have a path of its own choosing."""
WEBHOOK_ALLOW: Final = "webhook_allow"
"""Every webhook source can be limited to networks that its webhooks come from."""

_ID: Final = re.compile(r"[a-z2-7]{26}")
_WEBHOOK_PATH: Final = re.compile(r"[a-z0-9](?:[a-z0-9/_-]{0,126}[a-z0-9])?")


def overlaid(base: JsonObject, changes: JsonObject) -> JsonObject:
    """`base` with the values of `changes`; a null removes one."""
    return {name: value for name, value in (base | changes).items() if value is not None}


class Configurations:
    """Judges configurations."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def check(
        self, manifest: Manifest, template: TemplateManifest | None, config: JsonObject, root: str
    ) -> None:
        """Raises Invalid naming each wrong field below `root`."""
        declared = _properties(manifest)
        ours = {WEBHOOK_PATH, WEBHOOK_ALLOW} - set(declared)
        own = {name: value for name, value in config.items() if name not in ours}
        errors = check(manifest.config, own, root)
        told = {error.field for error in errors}
        errors += [
            FieldError(field=f"{root}.{name}", message="is missing: the template needs it")
            for name in (template.required_fields if template else ())
            if name not in config and f"{root}.{name}" not in told
        ]
        for path, url in addresses_in(config, root):
            if (objection := await self._addresses.objection(url)) is not None:
                errors.append(FieldError(field=path, message=objection))
        if BASE_URL in config and declared.get(BASE_URL) == COMMON_CONFIG[BASE_URL]:
            errors += await self._check_base_url(config, root)
        errors += _check_webhook(
            manifest, {name: config[name] for name in ours & set(config)}, root
        )
        if errors:
            raise Invalid(sorted(errors, key=lambda one: one.field))

    async def _check_base_url(self, config: JsonObject, root: str) -> list[FieldError]:
        url = config[BASE_URL]
        try:
            host = urlsplit(url).hostname if isinstance(url, str) else None
        except ValueError:
            host = None
        if host is not None and await self._addresses.opened(host):
            return []
        return [
            FieldError(
                field=f"{root}.{BASE_URL}",
                message="this connector's address is fixed; it can only be pointed at a host inside"
                " the networks of JACKFIELD_EGRESS_ALLOW",
            )
        ]


def webhook_path(config: JsonObject) -> str | None:
    """The path that an installation chose for its webhooks."""
    path = config.get(WEBHOOK_PATH)
    return path if isinstance(path, str) else None


def _properties(manifest: Manifest) -> JsonObject:
    properties = manifest.config.get("properties")
    return properties if isinstance(properties, dict) else {}


def _check_webhook(manifest: Manifest, ours: JsonObject, root: str) -> list[FieldError]:
    if manifest.webhook is None:
        message = "this connector receives no webhooks"
        return [FieldError(field=f"{root}.{name}", message=message) for name in ours]
    errors: list[FieldError] = []
    if WEBHOOK_PATH in ours and not _is_path(ours[WEBHOOK_PATH]):
        message = (
            "give 1 to 128 lowercase letters, digits, hyphens, underscores and inner slashes,"
            " in no form that an integration's id could have"
        )
        errors.append(FieldError(field=f"{root}.{WEBHOOK_PATH}", message=message))
    if WEBHOOK_ALLOW in ours and not _are_networks(ours[WEBHOOK_ALLOW]):
        message = "give a list of networks, such as 192.0.2.0/24 or 2001:db8::/32"
        errors.append(FieldError(field=f"{root}.{WEBHOOK_ALLOW}", message=message))
    return errors


def _is_path(value: JsonValue) -> bool:
    return (
        isinstance(value, str)
        and _WEBHOOK_PATH.fullmatch(value) is not None
        and "//" not in value
        and _ID.fullmatch(value) is None
    )


def _are_networks(value: JsonValue) -> bool:
    if not isinstance(value, list) or not value or len(value) > 1_000:
        return False
    try:
        for one in value:
            ip_network(str(one))
    except ValueError:
        return False
    return True
