"""The OpenAPI document: valid, complete, and good for a client generator."""

import re
from collections.abc import Iterator
from typing import Any, cast

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from jackfield_gateway.endpoints.application import application
from jackfield_gateway.endpoints.services import Services

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    # describing calls none of the services
    return application(cast(Services, None), max_body=1024, max_requests=1).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert method in METHODS
            yield path, method, operation


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OPENAPI_31_VALIDATOR.validate(document)


def test_every_schema_is_valid_and_every_reference_leads_somewhere(
    document: dict[str, Any],
) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(
            schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        )
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    found = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    assert found <= known
    assert known <= found | {"#/components/schemas/Problem"}, known - found


def test_operations_have_names_that_make_good_methods(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_every_operation_says_what_can_go_wrong(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        responses = operation["responses"]
        assert {"401", "403", "422", "500", "503"} <= set(responses), f"{method} {path}"
        for status, response in responses.items():
            if status >= "400":
                content = response["content"]
                assert list(content) == ["application/problem+json"]
                reference = content["application/problem+json"]["schema"]["$ref"]
                assert reference == "#/components/schemas/Problem"
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= set(responses)
        if "{" in path:
            assert "404" in responses, f"{method} {path}"
        assert operation["description"]
        assert operation["tags"]


def test_every_operation_wants_one_of_two_credentials(document: dict[str, Any]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    for _, _, operation in operations(document):
        assert operation["security"] == [{"bearer": []}, {"apiKey": []}]


def test_nothing_of_the_frameworks_own_errors_is_left(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in str(document)


def test_bodies_have_examples(document: dict[str, Any]) -> None:
    for name in ("InstallRequest", "ConfigureRequest", "RouteDraft", "ActionCall", "RunDraft"):
        schema = document["components"]["schemas"][name]
        assert any("examples" in field for field in schema["properties"].values()), name
