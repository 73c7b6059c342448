"""All commands and their options. The body of a command is in the module of its group, which is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sara.cli.parameters import AsJson, Config, Conversation, Limit

app = typer.Typer(
    name="sara",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would make the help pages cost a quarter of a second
    help="Answer customers on WhatsApp with an AI, without losing, reordering or repeating a message.",
)
queue = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show waiting work and failed messages; retry or drop them."
)
conversations = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show, search and annotate conversations.")
plugin = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show plugins.")
app.add_typer(queue, name="queue")
app.add_typer(conversations, name="conversations")
app.add_typer(plugin, name="plugin")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Answer customers on WhatsApp with an AI, without losing, reordering or repeating a message."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"sara {version_of('sara-daemon')}")
        raise typer.Exit


@app.command()
def run(*, config: Config, log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info") -> None:
    """Run the daemon. SIGTERM finishes running work and stops, SIGHUP reloads the configuration."""
    from sara.cli.run import run as command

    raise typer.Exit(command(config, log_level))


@app.command()
def demo(
    base_url: Annotated[str | None, typer.Option(help="OpenAI-compatible server to use instead of scripted answers.")] = None,
    model: Annotated[str | None, typer.Option(help="Model to use on that server.")] = None,
    port: Annotated[int, typer.Option(help="Port of the phone page; 0 takes a free one.", min=0, max=65_535)] = 0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "error",
) -> None:
    """Try the whole system on this machine without an account. Prints a link to a phone page for your browser."""
    from sara.cli.demo import demo as command

    raise typer.Exit(command(base_url, model, port, log_level))


@app.command()
def check(
    *,
    config: Config,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the configuration and list every error with its line."""
    from sara.cli.config import check as command

    raise typer.Exit(command(config, strict=strict, as_json=as_json))


@app.command()
def doctor(
    channel: Annotated[str | None, typer.Argument(help="Check only the channel with this name in the configuration.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Correct settings at the provider where possible.")] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Check accounts, addresses and servers. Says how to correct each finding; the daemon may be running or not."""
    from sara.cli.doctor import doctor as command

    raise typer.Exit(command(config, channel, fix=fix, as_json=as_json))


@app.command()
def schema(*, config: Config) -> None:
    """Print the JSON Schema of the configuration. It includes the options of all installed plugins."""
    from sara.cli.config import schema as command

    raise typer.Exit(command(config))


@app.command()
def simulate(
    what: Annotated[str, typer.Argument(metavar="PLUGIN", help="whatsapp, openai, or another plugin with a simulator.")],
    webhook: Annotated[str | None, typer.Option(help="Webhook address of a running daemon.")] = None,
    port: Annotated[int, typer.Option(help="Port of the simulator; 0 takes a free one.", min=0, max=65_535)] = 0,
    *,
    config: Config,
) -> None:
    """Run the simulator of a plugin. It stands in for the provider's API on this machine."""
    from sara.cli.simulate import simulate as command

    raise typer.Exit(command(what, webhook, port, config))


@queue.command("stats")
def queue_stats(*, config: Config, as_json: AsJson = False) -> None:
    """Print queue and store statistics and the current problems."""
    from sara.cli.queue import stats as command

    raise typer.Exit(command(config, as_json=as_json))


@queue.command("list")
def queue_list(*, config: Config, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List waiting jobs and failed messages that need an operator."""
    from sara.cli.queue import listing as command

    raise typer.Exit(command(config, limit, as_json=as_json))


@queue.command("retry")
def queue_retry(
    job: Annotated[
        list[str] | None, typer.Argument(help="reply:CONVERSATION or deliver:CONVERSATION, as printed by `queue list`.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All failed messages.")] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Retry failed messages."""
    from sara.cli.queue import retry as command

    raise typer.Exit(command(config, job or [], everything=everything, as_json=as_json))


@queue.command("drop")
def queue_drop(
    job: Annotated[list[str], typer.Argument(help="reply:CONVERSATION or deliver:CONVERSATION, as printed by `queue list`.")],
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Discard the messages that wait in a conversation."""
    from sara.cli.queue import drop as command

    raise typer.Exit(command(config, job, as_json=as_json))


@conversations.command("list")
def conversations_list(
    *,
    config: Config,
    limit: Limit = 50,
    unhealthy: Annotated[
        bool, typer.Option("--unhealthy", help="Only conversations that need attention, with the reason.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List conversations, newest first."""
    from sara.cli.conversations import listing as command

    raise typer.Exit(command(config, limit, unhealthy=unhealthy, as_json=as_json))


@conversations.command("note")
def conversations_note(
    conversation: Conversation,
    text: Annotated[
        str | None, typer.Argument(help="Note about the customer, which the assistant reads. [default: show the notes]")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace all notes by the text; an empty text deletes them.")
    ] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Show the notes about the customer of a conversation, or add one."""
    from sara.cli.operator import note as command

    raise typer.Exit(command(config, conversation, text, replace=replace, as_json=as_json))


@conversations.command("show")
def conversations_show(
    conversation: Annotated[str, typer.Argument(help="Id of the conversation, such as c7.")],
    *,
    config: Config,
    limit: Limit = 1_000,
    events: Annotated[
        bool, typer.Option("--events", help="Show all events of the conversation, with their actors, instead of messages.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Do not cut messages that are longer than a line.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest messages of a conversation in order."""
    if events:
        from sara.cli.search import events as print_events

        raise typer.Exit(print_events(config, conversation, limit, as_json=as_json))
    from sara.cli.conversations import show as command

    raise typer.Exit(command(config, conversation, limit, full=full, as_json=as_json))


@conversations.command("search")
def conversations_search(
    words: Annotated[list[str], typer.Argument(help="Words to find; the last one may be incomplete.")],
    *,
    config: Config,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Find messages that contain all these words. Received and sent ones, newest first."""
    from sara.cli.search import search as command

    raise typer.Exit(command(config, words, limit, as_json=as_json))


@app.command()
def why(
    message: Annotated[str, typer.Argument(help="SARA's message id (m12) or the provider's.")],
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Show everything that happened to a message, with reasons."""
    from sara.cli.conversations import why as command

    raise typer.Exit(command(config, message, as_json=as_json))


@app.command()
def handoff(
    conversation: Conversation,
    reason: Annotated[str, typer.Option(help="Reason, for the record.")] = "",
    lasts: Annotated[
        str | None, typer.Option("--for", help="Time after which SARA answers again, e.g. 2h. [default: handoff.return_after]")
    ] = None,
    pause: Annotated[
        bool, typer.Option("--pause", help="Pause the conversation instead: messages wait until `sara resume`.")
    ] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Hand a conversation to a person. SARA stops answering it."""
    from sara.cli.operator import handoff as command

    raise typer.Exit(command(config, conversation, reason, lasts, pause=pause, as_json=as_json))


@app.command()
def resume(
    conversation: Conversation,
    quietly: Annotated[bool, typer.Option("--quietly", help="Send the customer no notice.")] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Let SARA answer a conversation again."""
    from sara.cli.operator import resume as command

    raise typer.Exit(command(config, conversation, quietly=quietly, as_json=as_json))


@app.command("opt-out")
def opt_out(
    conversation: Conversation,
    how: Annotated[str, typer.Option(help="How the customer asked for it, for the record.")] = "",
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Record that a customer wants no more messages. They get one confirmation."""
    from sara.cli.operator import consent as command

    raise typer.Exit(command(config, conversation, how, opted_out=True, as_json=as_json))


@app.command("opt-in")
def opt_in(
    conversation: Conversation,
    how: Annotated[str, typer.Option(help="How the customer asked for it, for the record.")] = "",
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Record that a customer wants messages again."""
    from sara.cli.operator import consent as command

    raise typer.Exit(command(config, conversation, how, opted_out=False, as_json=as_json))


@app.command()
def send(
    conversation: Conversation,
    text: Annotated[str, typer.Argument(help="Text to send, with the channel's own markup: *bold* and _italic_ on WhatsApp.")],
    at: Annotated[str | None, typer.Option(help="Time of sending, e.g. 2026-12-24T09:00.")] = None,
    after: Annotated[str | None, typer.Option(help="Delay before sending, e.g. 2h.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Translate Markdown in the text into the channel's markup.")
    ] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Send a customer a text of your own, and print the outcome.

    Exit code 0: the text was sent or is scheduled. 75: it waits for a condition that is printed. 1: it will not be sent.
    """
    from sara.cli.operator import send as command

    raise typer.Exit(command(config, conversation, text, at, after, markdown=markdown, as_json=as_json))


@app.command()
def export(
    who: Annotated[
        str | None,
        typer.Argument(metavar="WHO", help="Export only a conversation (c7) or a person (p3, a phone number or a user id)."),
    ] = None,
    person: Annotated[
        bool, typer.Option("--person", help="Export everything stored about the person, not only messages.")
    ] = False,
    unparsed: Annotated[
        bool, typer.Option("--unparsed", help="Export webhook contents that could not be parsed instead.")
    ] = False,
    *,
    config: Config,
    as_json: Annotated[bool, typer.Option("--json", help="Ignored: the output is always JSON Lines.")] = True,
) -> None:
    """Print one JSON object per stored message."""
    from sara.cli.export import export as command

    raise typer.Exit(command(config, who, person=person, unparsed=unparsed))


@app.command()
def forget(
    contact: Annotated[str, typer.Argument(help="Contact (p3), phone number or user id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Erase everything stored about a person. Lists the backups that may still contain their data."""
    from sara.cli.forget import forget as command

    raise typer.Exit(command(config, contact, yes=yes, as_json=as_json))


@app.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="New file, or a folder for it. [default: backups/ in the state directory]")
    ] = None,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Copy all data to a new file and check the copy. The daemon may be running or not."""
    from sara.cli.backup import backup as command

    raise typer.Exit(command(config, file, as_json=as_json))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File written by `sara backup`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Restore a backup while no daemon runs. Work that was open in it is listed and not repeated."""
    from sara.cli.backup import restore as command

    raise typer.Exit(command(config, file, yes=yes, as_json=as_json))


@plugin.command("list")
def plugin_list(*, config: Config, as_json: AsJson = False) -> None:
    """List the plugins that the configuration can name."""
    from sara.cli.plugins import listing as command

    raise typer.Exit(command(config, as_json=as_json))
