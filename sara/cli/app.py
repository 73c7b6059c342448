"""All commands and their options. What a command does is in the module of its group, imported only then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Annotated

import typer
from typer.models import TyperInfo

app = typer.Typer(
    name="sara",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would make the help pages cost a quarter of a second
    help="Answers your customers on WhatsApp with an AI, and never loses, swaps or doubles a message.",
)
queue = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at the work that is waiting, and mend it.")
conversations = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at conversations.")
plugin = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at plugins.")
app.add_typer(queue, name="queue")
app.add_typer(conversations, name="conversations")
app.add_typer(plugin, name="plugin")

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)]
Conversation = Annotated[str, typer.Argument(help="Its id, such as c7; `sara conversations list` shows them.")]
DEFAULT = Path("sara.yaml")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Answers your customers on WhatsApp with an AI, and never loses, swaps or doubles a message."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"sara {version_of('sara-daemon')}")
        raise typer.Exit


@app.command()
def run(
    config: Config = DEFAULT, log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info"
) -> None:
    """Run the daemon. SIGTERM lets work end and stops, SIGHUP reads the file again."""
    from sara.cli.run import run as command

    raise typer.Exit(command(config, log_level))


@app.command()
def demo(
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server to use instead of the script.")] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask there.")] = None,
    port: Annotated[int, typer.Option(help="The phone page's port; 0 takes any free one.", min=0, max=65_535)] = 0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "error",
) -> None:
    """Try the whole system on this machine, without any account: prints one link to a phone in your browser."""
    from sara.cli.demo import demo as command

    raise typer.Exit(command(base_url, model, port, log_level))


@app.command()
def check(
    config: Config = DEFAULT,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the configuration: every error at once, with its place."""
    from sara.cli.config import check as command

    raise typer.Exit(command(config, strict=strict, as_json=as_json))


@app.command()
def doctor(
    channel: Annotated[str | None, typer.Argument(help="Only this channel, by its name in the file.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend at the provider what can be mended from here.")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Check live, with the daemon running or not, and say what to do about each finding."""
    from sara.cli.doctor import doctor as command

    raise typer.Exit(command(config, channel, fix=fix, as_json=as_json))


@app.command()
def schema(config: Config = DEFAULT) -> None:
    """Print the JSON Schema of the configuration over all plugins found."""
    from sara.cli.config import schema as command

    raise typer.Exit(command(config))


@app.command()
def simulate(
    what: Annotated[str, typer.Argument(metavar="PLUGIN", help="whatsapp, openai, or any plugin with a simulator.")],
    webhook: Annotated[str | None, typer.Option(help="Address of a running daemon's webhook.")] = None,
    port: Annotated[int, typer.Option(help="0 takes any free one.", min=0, max=65_535)] = 0,
    config: Config = DEFAULT,
) -> None:
    """Run a plugin's simulator alone: the provider's other end on this machine."""
    from sara.cli.simulate import simulate as command

    raise typer.Exit(command(what, webhook, port, config))


@queue.command("stats")
def queue_stats(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Figures of the queue and the store, and what is wrong right now."""
    from sara.cli.queue import stats as command

    raise typer.Exit(command(config, as_json=as_json))


@queue.command("list")
def queue_list(config: Config = DEFAULT, limit: Limit = 100, as_json: AsJson = False) -> None:
    """What waits for its time, and what only you can set going again."""
    from sara.cli.queue import listing as command

    raise typer.Exit(command(config, limit, as_json=as_json))


@queue.command("retry")
def queue_retry(
    job: Annotated[
        list[str] | None, typer.Argument(help="reply:CONVERSATION or deliver:CONVERSATION, as `queue list` names them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that was given up.")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Give messages that were given up another chance."""
    from sara.cli.queue import retry as command

    raise typer.Exit(command(config, job or [], everything=everything, as_json=as_json))


@queue.command("drop")
def queue_drop(
    job: Annotated[list[str], typer.Argument(help="reply:CONVERSATION or deliver:CONVERSATION, as `queue list` names them.")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Give up what waits in a conversation."""
    from sara.cli.queue import drop as command

    raise typer.Exit(command(config, job, as_json=as_json))


@conversations.command("list")
def conversations_list(
    config: Config = DEFAULT,
    limit: Limit = 50,
    unhealthy: Annotated[bool, typer.Option("--unhealthy", help="Only those that somebody should look at, and why.")] = False,
    as_json: AsJson = False,
) -> None:
    """The conversations, newest first."""
    from sara.cli.conversations import listing as command

    raise typer.Exit(command(config, limit, unhealthy=unhealthy, as_json=as_json))


@conversations.command("note")
def conversations_note(
    conversation: Conversation,
    text: Annotated[
        str | None, typer.Argument(help="A line that the assistant should know about this person. [default: show the notes]")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the text in the place of all notes; an empty one forgets them.")
    ] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show what is noted about the person of a conversation, or add a line to it."""
    from sara.cli.operator import note as command

    raise typer.Exit(command(config, conversation, text, replace=replace, as_json=as_json))


@conversations.command("show")
def conversations_show(
    conversation: Annotated[str, typer.Argument(help="Its id, such as c7.")],
    config: Config = DEFAULT,
    limit: Limit = 1_000,
    events: Annotated[bool, typer.Option("--events", help="All that happened in it instead, and who did it.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Whole messages, also where they take more than a line.")] = False,
    as_json: AsJson = False,
) -> None:
    """The newest messages of a conversation, in their order."""
    if events:
        from sara.cli.search import events as print_events

        raise typer.Exit(print_events(config, conversation, limit, as_json=as_json))
    from sara.cli.conversations import show as command

    raise typer.Exit(command(config, conversation, limit, full=full, as_json=as_json))


@conversations.command("search")
def conversations_search(
    words: Annotated[list[str], typer.Argument(help="Words; the last may be the beginning of one.")],
    config: Config = DEFAULT,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Find messages, received and sent, that hold all these words; the newest first."""
    from sara.cli.search import search as command

    raise typer.Exit(command(config, words, limit, as_json=as_json))


@app.command()
def why(
    message: Annotated[str, typer.Argument(help="Our id (m12) or the provider's.")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """All that happened to a message, and why."""
    from sara.cli.conversations import why as command

    raise typer.Exit(command(config, message, as_json=as_json))


@app.command("hand-over")
def hand_over(
    conversation: Conversation,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    lasts: Annotated[
        str | None, typer.Option("--for", help="SARA answers again after this, e.g. 2h. [default: handoff.return_after]")
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Nobody answers: messages wait until `hand-back`.")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Let a person answer a conversation: SARA says nothing more there."""
    from sara.cli.operator import hand_over as command

    raise typer.Exit(command(config, conversation, reason, lasts, pause=pause, as_json=as_json))


@app.command("hand-back")
def hand_back(
    conversation: Conversation,
    quietly: Annotated[bool, typer.Option("--quietly", help="Do not tell the customer.")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Let SARA answer a conversation again."""
    from sara.cli.operator import hand_back as command

    raise typer.Exit(command(config, conversation, quietly=quietly, as_json=as_json))


@app.command("opt-out")
def opt_out(
    conversation: Conversation,
    how: Annotated[str, typer.Option(help="How the person said so, for the record.")] = "",
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """The person of a conversation wants no more messages; they are told once that it was noted."""
    from sara.cli.operator import consent as command

    raise typer.Exit(command(config, conversation, how, opted_out=True, as_json=as_json))


@app.command("opt-in")
def opt_in(
    conversation: Conversation,
    how: Annotated[str, typer.Option(help="How the person said so, for the record.")] = "",
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """The person of a conversation wants messages again."""
    from sara.cli.operator import consent as command

    raise typer.Exit(command(config, conversation, how, opted_out=False, as_json=as_json))


@app.command()
def send(
    conversation: Conversation,
    text: Annotated[str, typer.Argument(help="Text to send, in the channel's own marks: *bold* and _italic_ on WhatsApp.")],
    at: Annotated[str | None, typer.Option(help="Not before this moment, e.g. 2026-12-24T09:00.")] = None,
    after: Annotated[str | None, typer.Option(help="Not before so long from now, e.g. 2h.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Translate Markdown in the text into the channel's marks.")
    ] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Say something to a customer in your own words, and say what became of it.

    Ends with 0 when it was sent or will be at its time, with 75 when it waits for something, with 1 when it will not be sent.
    """
    from sara.cli.operator import send as command

    raise typer.Exit(command(config, conversation, text, at, after, markdown=markdown, as_json=as_json))


@app.command()
def export(
    who: Annotated[
        str | None,
        typer.Argument(metavar="WHO", help="Only a conversation (c7), or a person: p3, a telephone number or a user id."),
    ] = None,
    person: Annotated[bool, typer.Option("--person", help="All that is stored about the person, not only messages.")] = False,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Instead, what was signed but not understood.")] = False,
    config: Config = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="The default: export is JSON Lines.")] = True,
) -> None:
    """Print one JSON object per stored message."""
    from sara.cli.export import export as command

    raise typer.Exit(command(config, who, person=person, set_aside=set_aside))


@app.command()
def forget(
    contact: Annotated[str, typer.Argument(help="A contact (p3), a telephone number or a user id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Erase a person: all that is stored about them. Says which backups may still hold them."""
    from sara.cli.forget import forget as command

    raise typer.Exit(command(config, contact, yes=yes, as_json=as_json))


@app.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="A new file, or a folder to put it into. [default: backups/ in the state directory]")
    ] = None,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Copy all data to a new file and check it, whether the daemon runs or not."""
    from sara.cli.backup import backup as command

    raise typer.Exit(command(config, file, as_json=as_json))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `sara backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Put a backup back, while no daemon runs. What it left open is shown, not done again."""
    from sara.cli.backup import restore as command

    raise typer.Exit(command(config, file, yes=yes, as_json=as_json))


@plugin.command("list")
def plugin_list(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """The plugins that a configuration beside this file can name."""
    from sara.cli.plugins import listing as command

    raise typer.Exit(command(config, as_json=as_json))


def app_for(words: Sequence[str], whole: typer.Typer = app) -> typer.Typer:
    """`whole` with only the command that `words` begin with, or with all where they begin with none. To prepare the options of
    every command takes longer than most commands do."""
    if not words:
        return whole
    commands = [each for each in whole.registered_commands if each.callback and _name_of(each.name, each.callback) == words[0]]
    groups = [each for each in whole.registered_groups if each.name == words[0]]
    if not commands and not groups:
        return whole
    chosen = copy(whole)
    chosen.registered_commands = commands
    chosen.registered_groups = [_group_for(words[1:], each) for each in groups]
    return chosen


def _name_of(given: str | None, callback: Callable[..., object]) -> str:
    return given or callback.__name__.replace("_", "-")


def _group_for(words: Sequence[str], group: TyperInfo) -> TyperInfo:
    chosen = copy(group)
    if group.typer_instance is not None:
        chosen.typer_instance = app_for(words, group.typer_instance)
    return chosen
