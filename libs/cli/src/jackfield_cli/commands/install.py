"""`jackfield install` and its kin: integrations come, change and go."""

from typing import Annotated

import typer
from pydantic import JsonValue
from rich.text import Text

from jackfield_cli.api import connected
from jackfield_cli.exits import Exit
from jackfield_cli.output import Json, PlainTable, console, print_json
from jackfield_cli.resources import ActionResult, Health, Installed
from jackfield_cli.values import configuration_from, secrets_from

_PATH = "/api/marketplace"

Id = Annotated[str, typer.Argument(metavar="INTEGRATION_ID", help="See `jackfield installed`.")]
Config = Annotated[
    list[str] | None, typer.Option("--config", "-c", help="name=value, as often as needed.")
]
Credential = Annotated[
    list[str] | None,
    typer.Option(
        "--credential",
        "-s",
        help="name=value, name=@file, or name=- to be asked without echo; as often as needed.",
    ),
]
Auth = Annotated[str | None, typer.Option(help="The way to sign in, where there are several.")]
Name = Annotated[str | None, typer.Option(help="A name of your own.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (install, configure, uninstall, installed, health):
        app.command()(command)
    app.command("test")(check_connection)


def install(
    template: Annotated[str, typer.Argument(help="See `jackfield marketplace list`.")],
    name: Name = None,
    config: Config = None,
    credential: Credential = None,
    auth: Auth = None,
    as_json: Json = False,
) -> None:
    """Install an integration; prints what to do at the vendor, and what is still missing.

    [bold]Examples[/]

      jackfield install github --name "Our code"

      jackfield install github -c owner=acme -s webhook_secret=-
    """
    wanted: dict[str, JsonValue] = {
        "template_name": template,
        "config_overrides": configuration_from(config or ()),
    }
    wanted |= {"custom_name": name} if name else {}
    wanted |= {"auth": auth} if auth else {}
    secrets = secrets_from(credential or ())
    with connected() as api:
        made = api.post(f"{_PATH}/install", Installed, wanted)
        if secrets:
            given = {"integration_id": made.integration_id, "credentials": secrets}
            made = api.post(f"{_PATH}/configure", Installed, given)
    _show(made, as_json)


def configure(
    integration_id: Id,
    credential: Credential = None,
    config: Config = None,
    auth: Auth = None,
    name: Name = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Take part in routing, or not.")
    ] = None,
    retire_webhook_secret: Annotated[
        bool,
        typer.Option("--retire-webhook-secret", help="Refuse the previous webhook secret now."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Give credentials and secrets, change configuration or name, enable or disable.

    A new webhook secret and the one before it are both accepted until you retire the old one.

    [bold]Examples[/]

      jackfield configure INTEGRATION_ID --credential webhook_secret=@secret.txt

      jackfield configure INTEGRATION_ID --config channel=#deployments --disable
    """
    wanted: dict[str, JsonValue] = {"integration_id": integration_id}
    if credential:
        wanted["credentials"] = secrets_from(credential)
    if config:
        wanted["config"] = configuration_from(config)
    given = {"auth": auth, "custom_name": name, "enabled": enable}
    wanted |= {key: value for key, value in given.items() if value is not None}
    if retire_webhook_secret:
        wanted["retire_webhook_secret"] = True
    with connected() as api:
        changed = api.post(f"{_PATH}/configure", Installed, wanted)
    _show(changed, as_json)


def uninstall(
    integration_id: Id,
    disable_routes: Annotated[
        bool, typer.Option("--disable-routes", help="Disable the routes that use it.")
    ] = False,
) -> None:
    """Remove an integration and its credentials.

    [bold]Examples[/]

      jackfield uninstall INTEGRATION_ID --disable-routes
    """
    query = {"routes": "disable" if disable_routes else "refuse"}
    with connected() as api:
        api.delete(f"{_PATH}/installed/{integration_id}", query)
    console.print("Removed.")


def installed(
    integration_id: Annotated[
        str | None, typer.Argument(metavar="[INTEGRATION_ID]", help="All of them if absent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the installed integrations, or show one of them.

    [bold]Examples[/]

      jackfield installed

      jackfield installed INTEGRATION_ID --json
    """
    with connected() as api:
        if integration_id is not None:
            _show(api.get(f"{_PATH}/installed/{integration_id}", Installed), as_json)
            return
        found = api.list(f"{_PATH}/installed", Installed)
    if as_json:
        print_json([each.raw for each in found])
        return
    table = PlainTable("integration", "template", "name", "health", "needs")
    for each in found:
        needs = ", ".join(field.name for field in each.missing_fields)
        state = each.health if each.enabled else "disabled"
        table.add(each.integration_id, each.template_name, each.name, state, needs)
    console.print(table)


def health(
    integration_id: Annotated[
        str | None, typer.Argument(metavar="[INTEGRATION_ID]", help="All of them if absent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how integrations do. Exit status 6 when one is unhealthy.

    [bold]Examples[/]

      jackfield health

      jackfield health INTEGRATION_ID --json
    """
    with connected() as api:
        ids = (
            [integration_id]
            if integration_id is not None
            else [each.integration_id for each in api.list(f"{_PATH}/installed", Installed)]
        )
        found = [api.get(f"/api/integrations/{each}/health", Health) for each in ids]
    if as_json:
        print_json([each.raw for each in found])
    else:
        table = PlainTable("integration", "status", "sign-in", "answers in", "last check", "")
        for each in found:
            took = f"{each.response_time_ms:.0f} ms" if each.response_time_ms is not None else ""
            checked = each.last_check.strftime("%F %T") if each.last_check else "never"
            row = (each.integration_id, each.status, each.authentication_status, took, checked)
            table.add(*row, Text(each.error or each.message))
        console.print(table)
    if any(each.status == "unhealthy" for each in found):
        raise typer.Exit(Exit.CHECK_FAILED)


def check_connection(
    integration_id: Id,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the vendor.")] = 30,
    as_json: Json = False,
) -> None:
    """Test the connection to the vendor with its credentials. Exit status 6 when it fails.

    [bold]Examples[/]

      jackfield test INTEGRATION_ID
    """
    path = f"{_PATH}/installed/{integration_id}/test"
    with connected() as api:
        result = api.post(path, ActionResult, query={"wait": wait}, wait_seconds=wait)
    show_result(result, as_json)


def show_result(result: ActionResult, as_json: bool) -> None:
    """Print what came of an action; exit with 6 when it failed, 1 when it is still under way."""
    if as_json:
        print_json(result.raw)
    elif result.status != "completed":
        console.print(f"Still under way: jackfield result {result.action_id}")
    else:
        mark = ("done", "green") if result.success else (f"failed ({result.error})", "red")
        took = f" after {result.duration_ms:.0f} ms" if result.duration_ms is not None else ""
        console.print(Text.assemble(f"{result.action}: ", mark, took))
        if result.message:
            console.print(result.message)
        if result.data is not None:
            console.print_json(data=result.data)
    if result.status != "completed":
        raise typer.Exit(Exit.FAILED)
    if not result.success:
        raise typer.Exit(Exit.CHECK_FAILED)


def _show(integration: Installed, as_json: bool) -> None:
    if as_json:
        print_json(integration.raw)
        return
    console.print(Text.assemble((integration.name, "bold"), f" ({integration.template_name})"))
    table = PlainTable()
    table.add("Integration", integration.integration_id)
    if integration.webhook_url:
        table.add("Webhook URL", Text(integration.webhook_url))
        secret = "kept" if integration.webhook_secret_configured else "missing"
        table.add("Webhook secret", secret)
    table.add("Credential", f"{integration.credential_status} {integration.credential_message}")
    table.add("State", integration.health if integration.enabled else "disabled")
    console.print(table)
    for warning in integration.warnings:
        console.print(Text.assemble(("! ", "yellow"), warning))
    for number, step in enumerate(integration.setup_steps, start=1):
        console.print(f"{number}. {step}")
    if integration.missing_fields:
        console.print("Still needed:")
        fields = PlainTable()
        for field in integration.missing_fields:
            optional = "" if field.required else " (optional)"
            fields.add(f"  {field.name}", f"{field.title}{optional}", field.description)
        console.print(fields)
        names = " ".join(f"--credential {each.name}=-" for each in integration.missing_fields)
        console.print(f"Next: jackfield configure {integration.integration_id} {names}")
