"""`jackfield marketplace`: what can be installed."""

from typing import Annotated

import typer
from rich.text import Text

from jackfield_cli.api import connected
from jackfield_cli.output import Json, PlainTable, console, print_json
from jackfield_cli.resources import Template, TemplateDetail

_PATH = "/api/marketplace/integrations"

group = typer.Typer(help="Look at what can be installed.", no_args_is_help=True)

Search = Annotated[str | None, typer.Argument(help="Words that all have to be found.")]
Category = Annotated[str | None, typer.Option(help="Only this category.")]
Sort = Annotated[str, typer.Option(help="popularity, name or category.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
Name = Annotated[str, typer.Argument(metavar="TEMPLATE", help="A name from the list.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="marketplace")


@group.command("list")
def list_templates(
    search: Search = None,
    category: Category = None,
    sort: Sort = "popularity",
    limit: Limit = 200,
    as_json: Json = False,
) -> None:
    """List what can be installed.

    [bold]Examples[/]

      jackfield marketplace list

      jackfield marketplace list issue tracker --sort name
    """
    query = {"search": search, "category": category, "sort": sort}
    with connected() as api:
        templates = api.list(_PATH, Template, query, limit)
    if as_json:
        print_json([each.raw for each in templates])
        return
    table = PlainTable("template", "title", "category", "level", "actions", "webhooks")
    for each in templates:
        webhooks = "yes" if each.receives_webhooks else ""
        row = (each.template_name, each.title, each.category, each.level)
        table.add(*row, str(each.actions), webhooks)
    console.print(table)


@group.command("show")
def show_template(name: Name, as_json: Json = False) -> None:
    """Show a template: how to sign in, its actions, the events it receives.

    [bold]Examples[/]

      jackfield marketplace show github
    """
    with connected() as api:
        template = api.get(f"{_PATH}/{name}", TemplateDetail)
    if as_json:
        print_json(template.raw)
        return
    rest = f" ({template.template_name}), {template.category}"
    console.print(Text.assemble((template.title, "bold"), rest))
    console.print(template.description)
    for way in template.sign_in:
        fields = ", ".join(field.name for field in way.fields) or "nothing"
        console.print(Text.assemble("\nSign in by ", (way.kind, "bold"), f": {fields}"))
    if template.required_fields:
        console.print(f"Configuration that is required: {', '.join(template.required_fields)}")
    if template.webhook is not None:
        console.print(f"\nWebhooks, proven by {template.webhook.verification}:")
        console.print(f"  {', '.join(template.webhook.events)}")
    console.print("\nActions:")
    table = PlainTable()
    for action in template.action_list:
        table.add(f"  {action.name}", action.description or action.title)
    console.print(table)
