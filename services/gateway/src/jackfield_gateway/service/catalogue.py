"""The marketplace: what can be installed, from the manifests on the bus."""

from dataclasses import dataclass

from jackfield_common.connector.auth import Auth
from jackfield_common.connector.manifest import Category, Manifest, TemplateManifest
from jackfield_common.events.certification import Level, LevelState
from jackfield_common.events.manifest import ManifestState
from jackfield_gateway.models.marketplace import (
    ActionSummary,
    CatalogueDetail,
    CatalogueItem,
    CataloguePage,
    Preset,
    SignIn,
    Sort,
    WebhookSummary,
)
from jackfield_gateway.models.problem import Absent, invalid
from jackfield_gateway.service.cursor import Place, decode_cursor, encode_cursor
from jackfield_gateway.service.ports import View, loaded


@dataclass(frozen=True, slots=True)
class Template:
    """What a template name stands for: a connector, and its preset if it is the name of one."""

    manifest: Manifest
    preset: TemplateManifest | None

    def sign_in(self, kind: str | None) -> Auth | None:
        """The way to sign in of this kind; without one the preset's, else the first."""
        wanted = kind or (self.preset.auth if self.preset else None)
        ways = self.manifest.auth
        return next((way for way in ways if way.kind == wanted), None) if wanted else ways[0]


class Catalogue:
    """Every known connector."""

    def __init__(self, manifests: View[ManifestState], levels: View[LevelState]) -> None:
        self._manifests = manifests
        self._levels = levels

    def connector(self, slug: str) -> Manifest | None:
        """A connector's manifest. Raises NotReady while the catalogue is being loaded."""
        state = self._manifests.get(slug) or loaded(self._manifests, "the connectors").get(slug)
        return state.manifest if state else None

    def template(self, name: str) -> Template:
        """What can be installed by this name. Raises Absent, NotReady."""
        manifest = self.connector(name)
        if manifest is not None:
            return Template(manifest, None)
        for state in self._manifests.values():
            for preset in state.manifest.templates:
                if preset.name == name:
                    return Template(state.manifest, preset)
        raise Absent(
            f"There is no template {name!r}: GET /api/marketplace/integrations lists them."
        )

    def level(self, slug: str) -> Level:
        """The certification that a connector holds now."""
        state = self._levels.get(slug)
        return state.level if state else Level.NONE

    def detail(self, name: str) -> CatalogueDetail:
        """Everything about what can be installed by this name. Raises Absent, NotReady."""
        template = self.template(name)
        manifest, preset = template.manifest, template.preset
        item = self._item(manifest).model_dump()
        if preset is not None:
            shown = {"title": preset.title, "description": preset.description}
            item |= {"template_name": preset.name, **shown}
        webhook = manifest.webhook
        return CatalogueDetail(
            **item,
            connector=manifest.slug,
            config=manifest.config,
            default_config=preset.default_config if preset else {},
            required_fields=preset.required_fields if preset else (),
            sign_in=tuple(SignIn(kind=way.kind, fields=way.fields) for way in manifest.auth),
            action_list=tuple(
                ActionSummary.model_validate(action, from_attributes=True)
                for action in manifest.actions
            ),
            webhook=webhook
            and WebhookSummary(
                verification=webhook.verify.kind,
                fields=webhook.verify.fields,
                events=tuple(webhook.events),
                setup=webhook.setup,
            ),
            templates=tuple(
                Preset.model_validate(
                    {**preset.model_dump(exclude={"name"}), "template_name": preset.name}
                )
                for preset in manifest.templates
            ),
            readme=manifest.readme,
        )

    def page(
        self,
        category: Category | None,
        search: str | None,
        sort: Sort,
        limit: int,
        cursor: str | None,
    ) -> CataloguePage:
        """Connectors in this order, at most `limit`. Raises Invalid for a bad cursor, NotReady."""
        found = [
            (_place(state.manifest, sort), state.manifest)
            for state in loaded(self._manifests, "the connectors").values()
            if _matches(state.manifest, category, search)
        ]
        found.sort(key=lambda pair: pair[0])
        if cursor is not None:
            behind = _read_place(cursor, sort)
            found = [pair for pair in found if pair[0] > behind]
        shown = found[:limit]
        return CataloguePage(
            items=tuple(self._item(manifest) for _, manifest in shown),
            next_cursor=encode_cursor([sort.value, *shown[-1][0]]) if len(found) > limit else None,
        )

    def _item(self, manifest: Manifest) -> CatalogueItem:
        return CatalogueItem(
            template_name=manifest.slug,
            title=manifest.title,
            description=manifest.description,
            category=manifest.category,
            version=manifest.version,
            docs=manifest.docs,
            popularity=manifest.popularity,
            auth=tuple(way.kind for way in manifest.auth),
            receives_webhooks=manifest.webhook is not None,
            actions=len(manifest.actions),
            level=self.level(manifest.slug),
            icon=manifest.icon,
        )


def _matches(manifest: Manifest, category: Category | None, search: str | None) -> bool:
    if category is not None and manifest.category is not category:
        return False
    text = " ".join(
        (
            manifest.slug,
            manifest.title,
            manifest.description,
            *(f"{preset.name} {preset.title}" for preset in manifest.templates),
        )
    ).casefold()
    return all(word in text for word in (search or "").casefold().split())


def _place(manifest: Manifest, sort: Sort) -> Place:
    # Ends in the slug, so that no two connectors share a place.
    title = manifest.title.casefold()
    match sort:
        case Sort.POPULARITY:
            return [-manifest.popularity, title, manifest.slug]
        case Sort.NAME:
            return [title, manifest.slug]
        case Sort.CATEGORY:
            return [manifest.category.value, title, manifest.slug]


def _read_place(cursor: str, sort: Sort) -> Place:
    shapes: dict[Sort, tuple[type[str | int], ...]] = {
        Sort.POPULARITY: (int, str, str),
        Sort.NAME: (str, str),
        Sort.CATEGORY: (str, str, str),
    }
    place = decode_cursor(cursor)
    shape = shapes[sort]
    if (
        len(place) != len(shape) + 1
        or place[0] != sort.value
        or not all(isinstance(part, kind) for part, kind in zip(place[1:], shape, strict=True))
    ):
        raise invalid("cursor", "not a cursor of this list in this order: begin without one")
    return place[1:]
