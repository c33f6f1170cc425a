"""Which fields of a credential were given, which sign-in they make, and what is still missing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from jackfield_common.connector.auth import Auth, SecretUrl
from jackfield_common.connector.fields import FormField
from jackfield_common.connector.manifest import Manifest
from jackfield_common.events.message import JsonObject
from jackfield_gateway.edge.schemes.compile import chosen
from jackfield_gateway.edge.schemes.verifier import Unusable
from jackfield_gateway.models.integration import Integration
from jackfield_gateway.models.marketplace import NeededField
from jackfield_gateway.models.problem import FieldError, Invalid, invalid
from jackfield_gateway.service.addresses import Addresses

ROOT: Final = "credentials"
MAX_LENGTH: Final = 64 * 1024
"""Characters of one field: a service account's key file fits."""


@dataclass(frozen=True, slots=True)
class Given:
    """The checked fields: those of the sign-in (with its kind) and those of the webhook."""

    auth: str | None
    sign_in: Mapping[str, SecretStr]
    webhook: Mapping[str, SecretStr]


def webhook_fields(manifest: Manifest) -> tuple[FormField, ...]:
    """The fields that webhooks may be verified with; sealed to the gateway."""
    return manifest.webhook.verify.fields if manifest.webhook else ()


def needed_webhook_fields(manifest: Manifest, config: JsonObject) -> tuple[FormField, ...]:
    """The fields without which no webhook of an installation can be verified."""
    if manifest.webhook is None:
        return ()
    try:
        scheme = chosen(manifest.webhook.verify, config)
    except Unusable:
        return ()
    return tuple(field for field in scheme.fields if field.required)


def missing_fields(manifest: Manifest, one: Integration) -> tuple[NeededField, ...]:
    """What an installation still has to be given."""
    missing: list[NeededField] = []
    way = next((way for way in manifest.auth if way.kind == one.auth), None)
    if way is not None and one.credential_version == 0:
        missing += [_needed(field, "sign_in") for field in way.fields if field.required]
    held = {secret.label for secret in one.webhook_secrets}
    missing += [
        _needed(field, "webhook")
        for field in needed_webhook_fields(manifest, one.config)
        if field.name not in held
    ]
    return tuple(missing)


def _needed(field: FormField, used_for: str) -> NeededField:
    return NeededField.model_validate(
        {**field.model_dump(exclude={"pattern"}), "used_for": used_for}
    )


class SignIns:
    """Judges the fields that `configure` is given."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def check(
        self,
        manifest: Manifest,
        current: str | None,
        kind: str | None,
        values: Mapping[str, SecretStr],
    ) -> Given:
        """Sort out and check the fields. Raises Invalid naming each wrong one, without its value."""
        webhook_names = {field.name for field in webhook_fields(manifest)}
        webhook = {name: value for name, value in values.items() if name in webhook_names}
        rest = {name: value for name, value in values.items() if name not in webhook_names}
        errors = await self._errors(webhook_fields(manifest), webhook, whole=False)
        way: Auth | None = None
        if rest or kind is not None:
            way = _way(manifest, current, kind, rest)
            errors += await self._errors(way.fields, rest, whole=bool(rest))
            if isinstance(way, SecretUrl):
                errors += await self._outside(way, rest)
        if errors:
            raise Invalid(sorted(errors, key=lambda one: one.field))
        return Given(way.kind if way else None, rest, webhook)

    async def _errors(
        self, fields: Sequence[FormField], values: Mapping[str, SecretStr], *, whole: bool
    ) -> list[FieldError]:
        errors: list[FieldError] = []
        for field in fields:
            value = values.get(field.name)
            text = value.get_secret_value() if value is not None else ""
            path = f"{ROOT}.{field.name}"
            if value is None:
                if whole and field.required:
                    errors.append(FieldError(field=path, message=f"is missing: {field.title}"))
            elif not text.strip():
                errors.append(FieldError(field=path, message=f"is empty: {field.title}"))
            elif len(text) > MAX_LENGTH:
                errors.append(
                    FieldError(field=path, message=f"longer than {MAX_LENGTH} characters")
                )
            elif field.pattern is not None and not re.fullmatch(field.pattern, text):
                errors.append(FieldError(field=path, message=f"does not match {field.pattern}"))
            elif field.type == "url" and (objection := await self._addresses.objection(text)):
                errors.append(FieldError(field=path, message=objection))
        return errors

    async def _outside(self, way: SecretUrl, values: Mapping[str, SecretStr]) -> list[FieldError]:
        errors: list[FieldError] = []
        for field in way.fields:
            value = values.get(field.name)
            if value is None:
                continue
            url, path = value.get_secret_value(), f"{ROOT}.{field.name}"
            if (objection := await self._addresses.objection(url)) is not None:
                errors.append(FieldError(field=path, message=objection))
                continue
            host = urlsplit(url).hostname or ""
            if (
                way.hosts
                and not _within(host, way.hosts)
                and not await self._addresses.opened(host)
            ):
                expected = ", ".join(way.hosts)
                errors.append(FieldError(field=path, message=f"leads elsewhere than to {expected}"))
        return errors


def _within(host: str, allowed: Iterable[str]) -> bool:
    return any(
        host == one or (one.startswith(".") and host.endswith(one))
        for one in map(str.lower, allowed)
    )


def _way(
    manifest: Manifest, current: str | None, kind: str | None, values: Mapping[str, SecretStr]
) -> Auth:
    ways = {way.kind: way for way in manifest.auth}
    if kind is not None:
        if kind not in ways:
            raise invalid("auth", f"give one of {', '.join(ways)}")
        way = ways[kind]
    else:
        fitting = [
            way
            for way in manifest.auth
            if set(values) <= {field.name for field in way.fields}
            and {field.name for field in way.fields if field.required} <= set(values)
        ]
        preferred = [way for way in fitting if way.kind == current] or fitting
        if preferred:
            way = preferred[0]
        elif current in ways:
            way = ways[current]
        else:
            way = manifest.auth[0]
    known = {field.name for field in way.fields}
    unknown = [name for name in values if name not in known]
    if unknown:
        told = "; ".join(
            f"{one.kind}: {', '.join(field.name for field in one.fields) or 'nothing'}"
            for one in manifest.auth
        )
        extra = ", ".join(field.name for field in webhook_fields(manifest))
        told += f"; for webhooks: {extra}" if extra else ""
        raise Invalid(
            [
                FieldError(field=f"{ROOT}.{name}", message=f"is not known here; known: {told}")
                for name in unknown
            ]
        )
    return way
