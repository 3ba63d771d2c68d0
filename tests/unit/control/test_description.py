"""The API's own description."""

from typing import Any

import pytest

from tests.unit.control.support import Control


@pytest.fixture
async def described(parts: Control) -> dict[str, Any]:
    async with parts.client(Accept="application/json") as client:
        answer: dict[str, Any] = (await client.get("/openapi.json")).json()
    return answer


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in described["paths"].values() for operation in path.values()]


def test_the_description_holds_the_api_and_nothing_else(described: dict[str, Any]) -> None:
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == {
        ("/v1/pods", "get"),
        ("/v1/streams", "get"),
        ("/v1/streams", "post"),
        ("/v1/streams/{stream_id}", "get"),
        ("/v1/streams/{stream_id}", "delete"),
        ("/v1/streams/{stream_id}/key", "post"),
    }


def test_every_operation_says_what_it_does_and_how_it_fails(described: dict[str, Any]) -> None:
    for operation in operations(described):
        assert operation["summary"]
        assert operation["description"]
        assert operation["security"] == [{"apiKey": []}]
        failures = {status: answer for status, answer in operation["responses"].items() if not status.startswith("2")}
        assert "401" in failures
        for answer in failures.values():
            assert answer["content"].keys() == {"application/problem+json"}


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return here + [ref for value in node.values() for ref in references(value)]
        return [ref for value in node for ref in references(value)] if isinstance(node, list) else []

    named = set(references(described))
    assert "#/components/schemas/Problem" in named
    assert named <= {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}


def test_every_field_of_a_stream_is_explained(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for name in ("StreamRequest", "StreamWithKey", "Ingest", "Playback", "Problem"):
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("description") or "$ref" in schema, f"{name}.{field}"
    assert schemas["StreamRequest"]["examples"]
