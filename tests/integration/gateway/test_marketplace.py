"""The marketplace: browse, install, configure, uninstall."""

import json

import pytest

from jackfield_common.events.audit import AuditRecorded
from jackfield_common.events.credential import ConnectionCompleted, ConnectionRequested
from jackfield_common.events.integration import IntegrationState
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId
from jackfield_common.sealing import Keys
from jackfield_common.topics import INTEGRATION, Service
from tests.integration.gateway.running import Running, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_templates_are_listed_by_popularity_and_paged(gateway: Running) -> None:
    first = (await gateway.http.get("/api/marketplace/integrations", params={"limit": 2})).json()
    assert [item["template_name"] for item in first["items"]] == ["forge", "chat"]
    second = await gateway.http.get(
        "/api/marketplace/integrations", params={"limit": 2, "cursor": first["next_cursor"]}
    )
    assert [item["template_name"] for item in second.json()["items"]] == ["calendar", "clock"]
    assert second.json()["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sort": "name"}, ["calendar", "chat", "clock", "forge"]),
        ({"sort": "category"}, ["chat", "clock", "calendar", "forge"]),
        ({"category": "source_control"}, ["forge"]),
        ({"search": "MESSAGES people"}, ["chat"]),
        ({"search": "alerts"}, ["chat"]),
        ({"search": "nothing like it"}, []),
    ],
)
async def test_templates_are_sorted_and_found(
    gateway: Running, query: dict[str, str], expected: list[str]
) -> None:
    answer = await gateway.http.get("/api/marketplace/integrations", params=query)
    assert [item["template_name"] for item in answer.json()["items"]] == expected


async def test_a_template_tells_what_it_needs(gateway: Running) -> None:
    detail = (await gateway.http.get("/api/marketplace/integrations/chat_alerts")).json()
    assert detail["connector"] == "chat"
    assert detail["title"] == "Chat alerts"
    assert detail["default_config"] == {"channel": "alerts"}
    assert [way["kind"] for way in detail["sign_in"]] == ["secret_url", "bearer"]
    assert (await gateway.http.get("/api/marketplace/integrations/nothing")).status_code == 404


async def test_installing_says_what_to_do_next(gateway: Running) -> None:
    answer = await gateway.http.post(
        "/api/marketplace/install", json={"template_name": "forge", "custom_name": "Our forge"}
    )
    assert answer.status_code == 201
    installed = answer.json()
    url = f"{gateway.webhook_url}/webhooks/{installed['integration_id']}"
    assert installed["webhook_url"] == url
    assert installed["setup_steps"][1] == f"Enter {url} as the payload address."
    assert [(f["name"], f["used_for"]) for f in installed["missing_fields"]] == [
        ("token", "sign_in"),
        ("webhook_secret", "webhook"),
    ]
    assert any("No webhook secret" in warning for warning in installed["warnings"])
    where = answer.headers["location"]
    assert (await gateway.http.get(where)).json()["name"] == "Our forge"
    states = await gateway.events(IntegrationState)
    [state] = [one for one in states if one.integration_id == installed["integration_id"]]
    assert (state.version, state.template, state.tenant) == (1, "forge", "default")


async def test_a_preset_fills_in_its_values(gateway: Running) -> None:
    installed = await gateway.install(
        "chat_alerts", config_overrides={"server_url": "https://chat.example.org"}
    )
    assert installed["config"] == {"channel": "alerts", "server_url": "https://chat.example.org"}
    assert installed["auth"] == "bearer"
    assert installed["name"] == "Chat alerts"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"template_name": "chat", "config_overrides": {"channel": 3}}, "config_overrides.channel"),
        ({"template_name": "chat", "config_overrides": {"colour": 1}}, "config_overrides.colour"),
        ({"template_name": "chat_alerts"}, "config_overrides.server_url"),
        (
            {
                "template_name": "chat",
                "config_overrides": {"server_url": "http://chat.example.com"},
            },
            "config_overrides.server_url",
        ),
        (
            {"template_name": "chat", "config_overrides": {"base_url": "https://example.com"}},
            "config_overrides.base_url",
        ),
        (
            {"template_name": "chat", "config_overrides": {"server_url": "https://a:b@c.example"}},
            "config_overrides.server_url",
        ),
        (
            {"template_name": "forge", "config_overrides": {"webhook_path": "Not A Path"}},
            "config_overrides.webhook_path",
        ),
        (
            {"template_name": "forge", "config_overrides": {"webhook_path": "a" * 26}},
            "config_overrides.webhook_path",
        ),
        (
            {"template_name": "forge", "config_overrides": {"webhook_allow": ["everywhere"]}},
            "config_overrides.webhook_allow",
        ),
        ({"template_name": "chat", "auth": "oauth2"}, "auth"),
        ({"template_name": "chat", "custom_name": " "}, "custom_name"),
        ({"template_name": "chat", "customname": "x"}, "customname"),
        ({}, "template_name"),
    ],
)
async def test_a_wrong_installation_is_refused_by_field(
    gateway: Running, body: dict[str, object], field: str
) -> None:
    answer = await gateway.http.post("/api/marketplace/install", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["message"]


async def test_a_base_url_may_lead_into_the_operators_networks(gateway: Running) -> None:
    installed = await gateway.install(
        "chat", config_overrides={"base_url": "http://127.0.0.1:9999/api"}
    )
    assert installed["config"] == {"base_url": "http://127.0.0.1:9999/api"}


async def test_a_webhook_path_belongs_to_one_integration(gateway: Running) -> None:
    first = await gateway.install("forge", config_overrides={"webhook_path": "team/forge"})
    assert first["webhook_url"] == f"{gateway.webhook_url}/webhooks/team/forge"
    again = await gateway.http.post(
        "/api/marketplace/install",
        json={"template_name": "forge", "config_overrides": {"webhook_path": "team/forge"}},
    )
    assert again.json()["errors"][0]["field"] == "config_overrides.webhook_path"
    second = await gateway.install("forge")
    moved = await gateway.configure(second["integration_id"], config={"webhook_path": "team/forge"})
    assert moved.json()["errors"][0]["field"] == "config.webhook_path"


async def test_credentials_go_sealed_to_the_vault_and_nowhere_else(gateway: Running) -> None:
    installed = await gateway.install("chat", auth="bearer")
    key = str(installed["integration_id"])
    secret = "a-very-secret-token-of-the-chat"
    answer = await gateway.configure(key, credentials={"token": secret})
    assert answer.status_code == 200
    assert secret not in answer.text
    assert answer.json()["credential_status"] == "pending"
    assert answer.json()["missing_fields"] == []
    requests = [
        one for one in await gateway.events(ConnectionRequested) if one.integration_id == key
    ]
    [request] = requests
    assert (request.auth, request.credential_version) == ("bearer", 1)
    assert request.sealed is not None
    vault = Keys.load(gateway.settings.keys_dir, Service.OAUTH)
    assert json.loads(vault.open(request.sealed)) == {"token": secret}
    states = [one for one in await gateway.events(IntegrationState) if one.integration_id == key]
    assert states[-1].credential_version == 1
    async with gateway.platform.pool.acquire() as connection:
        for table in ("integration", "outbox", "sealed_value"):
            rows = await connection.fetch(f"SELECT t::text AS text FROM {table} t")  # noqa: S608
            assert not any(secret in row["text"] for row in rows)


async def test_what_the_vault_says_is_shown(gateway: Running) -> None:
    key = await gateway.ready_chat()
    await gateway.publish(
        ConnectionCompleted(
            tenant=DEFAULT_TENANT,
            integration_id=IntegrationId(key),
            credential_version=1,
            success=False,
            message="it cannot be opened",
        )
    )

    async def told() -> bool:
        shown = (await gateway.http.get(f"/api/marketplace/installed/{key}")).json()
        return shown["credential_status"] == "failed" and any(
            "it cannot be opened" in warning for warning in shown["warnings"]
        )

    await eventually(told)


@pytest.mark.parametrize(
    ("template", "more", "field"),
    [
        ("chat", {"credentials": {"tokn": "x"}}, "credentials.tokn"),
        ("chat", {"credentials": {"token": " "}}, "credentials.token"),
        (
            "chat",
            {"credentials": {"webhook_url": "https://evil.example/x"}},
            "credentials.webhook_url",
        ),
        ("chat", {"credentials": {"webhook_url": "not a url"}}, "credentials.webhook_url"),
        ("chat", {"auth": "saml"}, "auth"),
        ("chat", {"auth": "bearer"}, "auth"),
        ("forge", {"credentials": {"webhook_secret": ""}}, "credentials.webhook_secret"),
        ("chat", {"config": {"channel": False}}, "config.channel"),
    ],
)
async def test_wrong_credentials_are_refused_by_field_and_never_repeated(
    gateway: Running, template: str, more: dict[str, object], field: str
) -> None:
    installed = await gateway.install(template)
    answer = await gateway.http.post(
        "/api/marketplace/configure", json={"integration_id": installed["integration_id"], **more}
    )
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert "evil" not in answer.text


async def test_the_way_to_sign_in_follows_from_the_fields(gateway: Running) -> None:
    installed = await gateway.install("chat")
    assert installed["auth"] == "secret_url"
    answer = await gateway.configure(installed["integration_id"], credentials={"token": "t-1"})
    assert answer.json()["auth"] == "bearer"
    answer = await gateway.configure(
        installed["integration_id"],
        credentials={"webhook_url": "https://hooks.chat.example.com/abc"},
    )
    assert answer.json()["auth"] == "secret_url"
    assert answer.json()["credential_version"] == 2


async def test_two_webhook_secrets_live_during_a_rotation(gateway: Running) -> None:
    installed = await gateway.install("forge")
    key = str(installed["integration_id"])
    keys = gateway.platform.keys

    async def live(*given: str, **more: bool) -> list[str]:
        for secret in given:
            body = {"credentials": {"webhook_secret": secret}, **more}
            assert (await gateway.configure(key, **body)).status_code == 200  # type: ignore[arg-type]
        states = [s for s in await gateway.events(IntegrationState) if s.integration_id == key]
        return [keys.open(secret).decode() for secret in states[-1].webhook_secrets]

    assert await live("one") == ["one"]
    assert await live("two") == ["two", "one"]
    assert await live("two") == ["two", "one"]
    assert await live("three") == ["three", "two"]
    answer = await gateway.configure(key, retire_webhook_secret=True)
    assert answer.json()["webhook_secret_configured"] is True
    assert await live() == ["three"]
    states = [s for s in await gateway.events(IntegrationState) if s.integration_id == key]
    assert [state.version for state in states] == [1, 2, 3, 4, 5]


async def test_uninstalling_deletes_everywhere(gateway: Running) -> None:
    key = await gateway.ready_chat()
    assert (await gateway.http.delete(f"/api/marketplace/installed/{key}")).status_code == 204
    assert (await gateway.http.get(f"/api/marketplace/installed/{key}")).status_code == 404
    assert (await gateway.http.delete(f"/api/marketplace/installed/{key}")).status_code == 404

    async def told() -> bool:
        records = await gateway.records(INTEGRATION)
        return [value for k, value in records if k == key.encode()][-1] is None

    await eventually(told)
    requests = [
        one for one in await gateway.events(ConnectionRequested) if one.integration_id == key
    ]
    assert [(one.credential_version, one.delete) for one in requests] == [(1, False), (2, True)]


async def test_installed_ones_are_paged(gateway: Running) -> None:
    mine = [str((await gateway.install("clock"))["integration_id"]) for _ in range(3)]
    found: list[str] = []
    cursor = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await gateway.http.get("/api/marketplace/installed", params=params)).json()
        assert len(page["items"]) <= 2
        found += [item["integration_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(found) == len(set(found))
    assert [key for key in found if key in mine] == mine


async def test_changes_are_in_the_audit_trail(gateway: Running) -> None:
    key = await gateway.ready_chat()
    await gateway.http.delete(f"/api/marketplace/installed/{key}")

    async def told() -> bool:
        trail = [
            one
            for one in await gateway.events(AuditRecorded)
            if one.resource == f"integration:{key}"
        ]
        return [(one.operation, one.actor, one.allowed) for one in trail] == [
            ("integration.install", "key:bootstrap", True),
            ("integration.configure", "key:bootstrap", True),
            ("integration.uninstall", "key:bootstrap", True),
        ]

    await eventually(told)
