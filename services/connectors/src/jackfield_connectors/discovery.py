"""Finding connectors: a folder with a `connector.py` is one. Nothing lists them.

    catalog/<slug>/connector.py         connector = Connector(slug="<slug>", …)
                   README.md  icon.svg
                   fixtures/exchanges/*.json   requests and the answers to them
                   fixtures/webhooks/*.json    webhook requests with their headers

A folder that is broken is reported with file and line, and the others are loaded all the same.
"""

import importlib
import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from pydantic import JsonValue, ValidationError

from jackfield_common.connector.declaration import Connector
from jackfield_common.connector.manifest import Exchange, Manifest, WebhookSample

MAX_ICON: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """A connector with what stands beside its declaration."""

    connector: Connector
    manifest: Manifest
    folder: Path


@dataclass(frozen=True, slots=True)
class Broken:
    """A folder that could not be loaded: where, and why."""

    folder: Path
    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{at}: {self.message}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every connector by slug, and the folders that are broken."""

    connectors: dict[str, Loaded] = field(default_factory=dict[str, Loaded])
    broken: tuple[Broken, ...] = ()


class _Wrong(Exception):
    """Something in a folder is wrong, at a known place."""

    def __init__(self, file: Path, line: int | None, message: str) -> None:
        super().__init__(message)
        self.file, self.line, self.message = file, line, message


def discover(roots: Sequence[Path]) -> Catalogue:
    """Load every connector below `roots`. Of two with one slug the first wins, the other is broken."""
    loaded: dict[str, Loaded] = {}
    broken: list[Broken] = []
    for folder in _folders(roots):
        try:
            one = _load(folder)
            if one.connector.slug in loaded:
                raise _Wrong(
                    folder / "connector.py", None, f"the slug {one.connector.slug} is taken already"
                )
        except _Wrong as wrong:
            broken.append(Broken(folder, wrong.file, wrong.line, wrong.message))
        else:
            loaded[one.connector.slug] = one
    return Catalogue(loaded, tuple(broken))


def _folders(roots: Sequence[Path]) -> Iterator[Path]:
    for root in roots:
        if not root.is_dir():
            continue
        for folder in sorted(root.iterdir()):
            if (folder / "connector.py").is_file():
                yield folder


def _load(folder: Path) -> Loaded:
    file = folder / "connector.py"
    connector = getattr(_module(folder), "connector", None)
    if not isinstance(connector, Connector):
        raise _Wrong(file, None, "it has no `connector = Connector(…)`")
    if connector.slug != folder.name:
        raise _Wrong(file, None, f"the slug {connector.slug!r} is not the folder's name")
    exchanges = tuple(_read(folder, "exchanges", Exchange))
    samples = tuple(_read(folder, "webhooks", WebhookSample))
    icon = _text(folder / "icon.svg")
    if len(icon) > MAX_ICON:
        raise _Wrong(folder / "icon.svg", None, f"an icon has at most {MAX_ICON} characters")
    try:
        manifest = connector.manifest(
            icon=icon,
            readme=_text(folder / "README.md"),
            exchanges=[one.model_dump(mode="json") for one in exchanges],
            samples=[one.model_dump(mode="json") for one in samples],
        )
    except ValidationError as error:
        raise _Wrong(file, None, _told(error)) from error
    return Loaded(connector, manifest, folder)


def _module(folder: Path) -> ModuleType:
    """Import the folder as a package of its own, so that its modules can import each other."""
    file = folder / "connector.py"
    package = f"jackfield_connectors.catalog.{folder.name}"
    if package not in sys.modules:
        module = ModuleType(package, f"The connector {folder.name}.")
        module.__path__ = [str(folder)]
        sys.modules[package] = module
    elif [Path(one) for one in sys.modules[package].__path__] != [folder]:
        raise _Wrong(file, None, f"a connector called {folder.name} is loaded already")
    try:
        return importlib.import_module(f"{package}.connector")
    except Exception as error:  # a folder is somebody's code: whatever it raises is reported
        raise _Wrong(*_place(error, folder), _reason(error)) from error


def _place(error: Exception, folder: Path) -> tuple[Path, int | None]:
    """The last line inside the folder that led to the error."""
    if isinstance(error, SyntaxError) and error.filename:
        return Path(error.filename), error.lineno
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(folder):
            return Path(frame.filename), frame.lineno
    return folder / "connector.py", None


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return _told(error)
    return f"{type(error).__name__}: {error}"


def _told(error: ValidationError) -> str:
    """The first of what is wrong, on one line."""
    told: list[str] = []
    for one in error.errors(include_url=False)[:3]:
        where = ".".join(str(part) for part in one["loc"])
        told.append(f"{where}: {one['msg']}" if where else one["msg"])
    return "; ".join(told)


def _read(folder: Path, kind: str, model: type[Any]) -> Iterator[Any]:
    """The fixtures of one kind; a file holds one, or a list."""
    for file in sorted((folder / "fixtures" / kind).glob("*.json")):
        try:
            content: JsonValue = json.loads(file.read_text("utf-8"))
        except json.JSONDecodeError as error:
            raise _Wrong(file, error.lineno, f"not JSON: {error.msg}") from error
        for one in content if isinstance(content, list) else [content]:
            if not isinstance(one, dict):
                raise _Wrong(file, None, "a fixture is an object")
            try:
                yield model.model_validate(_with_text_body(one) if kind == "webhooks" else one)
            except ValidationError as error:
                raise _Wrong(file, None, _told(error)) from error


def _with_text_body(sample: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A sample whose body is written as JSON, for readers, with the body as the vendor sends it."""
    body = sample.get("body")
    if isinstance(body, str):
        return sample
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return {**sample, "body": cast(JsonValue, text)}


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise _Wrong(file, None, "it is missing") from None
