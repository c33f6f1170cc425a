"""A connector to be certified: small, complete, made for the tests."""

from typing import Any

from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import ErrorKind

BASE = "https://api.shelf.example/v1"
DOCS = "https://docs.shelf.example/reference"
KEY = "whsec-shelf"

ITEM = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "title": {"type": "string"}},
    "required": ["id", "title"],
}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def document() -> dict[str, Any]:
    """The connector as JSON, for a test to change."""
    return {
        "slug": "shelf",
        "title": "Shelf",
        "description": "Keeps items.",
        "category": "custom",
        "docs": DOCS,
        "version": "1.0.0",
        "base_url": BASE,
        "auth": [{"kind": "bearer"}],
        "errors": [
            {"status": 401, "kind": ErrorKind.AUTH},
            {"status": 403, "kind": ErrorKind.FORBIDDEN},
            {"status": 404, "kind": ErrorKind.NOT_FOUND},
            {"status": 422, "kind": ErrorKind.INVALID},
            {"status": 429, "kind": ErrorKind.RATE_LIMITED},
            {"status": 503, "kind": ErrorKind.UNAVAILABLE},
        ],
        "limits": [
            {"kind": "header_budget", "remaining": "X-Remaining", "resets_at": "X-Reset"},
        ],
        "test": "test_connection",
        "actions": [
            {
                "name": "test_connection",
                "title": "Test",
                "input": NOTHING,
                "output": {"type": "object", "properties": {"user": {"type": "string"}}},
                "repeat": "safe",
                "timeout": 2,
                "http": {"method": "GET", "path": "/me"},
            },
            {
                "name": "create_item",
                "title": "Create",
                "input": {
                    "type": "object",
                    "properties": {"shelf": {"type": "string"}, "title": {"type": "string"}},
                    "required": ["shelf", "title"],
                },
                "output": ITEM,
                "repeat": "unsafe",
                "timeout": 2,
                "http": {"method": "POST", "path": "/shelves/{shelf}/items"},
            },
            {
                "name": "get_item",
                "title": "Get",
                "input": {
                    "type": "object",
                    "properties": {"shelf": {"type": "string"}, "number": {"type": "integer"}},
                    "required": ["shelf", "number"],
                },
                "output": ITEM,
                "repeat": "safe",
                "timeout": 2,
                "http": {"method": "GET", "path": "/shelves/{shelf}/items/{number}"},
            },
            {
                "name": "list_items",
                "title": "List",
                "input": {
                    "type": "object",
                    "properties": {
                        "shelf": {"type": "string"},
                        "limit": {"type": "integer", "default": 100},
                    },
                    "required": ["shelf"],
                },
                "output": {
                    "type": "object",
                    "properties": {
                        "items": {"type": "array", "items": ITEM},
                        "complete": {"type": "boolean"},
                    },
                    "required": ["items", "complete"],
                },
                "repeat": "safe",
                "timeout": 2,
                "http": {
                    "method": "GET",
                    "path": "/shelves/{shelf}/items",
                    "pages": {"kind": "link"},
                },
            },
        ],
        "webhook": {
            "verify": {"kind": "hmac", "header": "X-Shelf-Signature", "prefix": "sha256="},
            "delivery_id": "header:X-Shelf-Delivery",
            "event_type": "header:X-Shelf-Event",
            "ordering": "body:shelf",
            "events": {"item.created": {}, "item.removed": {}},
            "setup": ["Enter {url}"],
        },
        "exchanges": [
            {
                "action": "test_connection",
                "name": "who am I",
                "input": {},
                "request": {"method": "GET", "path": "/me"},
                "response": {"status": 200, "body": {"user": "ada"}},
                "result": {"user": "ada"},
                "source": DOCS,
            },
            {
                "action": "create_item",
                "name": "a new item",
                "input": {"shelf": "a/b", "title": "Notes"},
                "request": {
                    "method": "POST",
                    "path": "/shelves/a%2Fb/items",
                    "body": {"title": "Notes"},
                },
                "response": {"status": 201, "body": {"id": 7, "title": "Notes"}},
                "result": {"id": 7, "title": "Notes"},
                "source": DOCS,
            },
            {
                "action": "get_item",
                "name": "one item",
                "input": {"shelf": "a", "number": 7},
                "request": {"method": "GET", "path": "/shelves/a/items/7"},
                "response": {"status": 200, "body": {"id": 7, "title": "Notes"}},
                "result": {"id": 7, "title": "Notes"},
                "source": DOCS,
            },
            {
                "action": "list_items",
                "name": "all items",
                "input": {"shelf": "a", "limit": 10},
                "request": {
                    "method": "GET",
                    "path": "/shelves/a/items",
                    "query": {"per_page": "10"},
                },
                "response": {"status": 200, "body": [{"id": 7, "title": "Notes"}]},
                "result": {"items": [{"id": 7, "title": "Notes"}], "complete": True},
                "source": DOCS,
            },
        ],
        "samples": [
            {
                "name": "an item was created",
                "headers": {
                    "Content-Type": "application/json",
                    "X-Shelf-Event": "item.created",
                    "X-Shelf-Delivery": "d-1",
                },
                "body": '{"shelf": "a", "id": 7, "title": "Notes"}',
                "secret": KEY,
                "event_type": "item.created",
                "source": DOCS,
            },
            {
                "name": "an item was removed",
                "headers": {
                    "Content-Type": "application/json",
                    "X-Shelf-Event": "item.removed",
                    "X-Shelf-Delivery": "d-2",
                },
                "body": '{"shelf": "a", "id": 7}',
                "secret": KEY,
                "event_type": "item.removed",
                "source": DOCS,
            },
        ],
    }


def manifest() -> Manifest:
    """The connector."""
    return Manifest.model_validate(document())
