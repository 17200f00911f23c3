"""The command `momentseek`: subcommands, error handling and exit codes."""

from __future__ import annotations

import difflib
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

import click

from pipeline.cli.commands.analysis.check import check
from pipeline.cli.commands.analysis.concept import concept
from pipeline.cli.commands.analysis.concepts import concepts
from pipeline.cli.commands.analysis.duplicates import duplicates
from pipeline.cli.commands.analysis.export_dataset import export_dataset
from pipeline.cli.commands.analysis.label import label
from pipeline.cli.commands.analysis.labels import labels
from pipeline.cli.commands.analysis.map import library_map
from pipeline.cli.commands.analysis.mark import mark
from pipeline.cli.commands.analysis.marks import marks
from pipeline.cli.commands.analysis.review import review
from pipeline.cli.commands.analysis.route import route
from pipeline.cli.commands.analysis.unusual import unusual
from pipeline.cli.commands.config import config
from pipeline.cli.commands.cuts import cuts
from pipeline.cli.commands.demo import demo
from pipeline.cli.commands.doctor import doctor
from pipeline.cli.commands.evaluate import evaluate
from pipeline.cli.commands.experiment import experiment
from pipeline.cli.commands.index import index
from pipeline.cli.commands.index_maintenance import migrate, rebuild, verify
from pipeline.cli.commands.jobs import jobs
from pipeline.cli.commands.metadata import metadata
from pipeline.cli.commands.remove import remove
from pipeline.cli.commands.runs import runs
from pipeline.cli.commands.search import search
from pipeline.cli.commands.submit import submit
from pipeline.cli.commands.trust import trust
from pipeline.cli.commands.videos import videos
from pipeline.cli.console.json_log import JsonFormatter, PlainFormatter, is_wanted
from pipeline.errors import ConfigError, MomentseekError, QueryError, SourceError

__all__ = ["main"]

_INTERRUPTED = 130
# Minimum similarity (difflib's ratio, 0 to 1) at which an existing option is suggested for an unknown one.
_MIN_SIMILARITY = 0.6


class _Commands(click.Group):
    """A group of commands that suggests the nearest name for a misspelt one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # "index rebuild", "index migrate" and "index verify" are commands of two words, alongside "index PATHS...";
        # to index a folder of such a name, write ./rebuild.
        two = " ".join(args[:2])
        if len(args) > 1 and two in self.commands:
            return super().resolve_command(ctx, [two, *args[2:]])
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the commands are: {', '.join(self.list_commands(ctx))}"
            ctx.fail(f"no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


def _show_version(ctx: click.Context, _option: click.Parameter, is_set: bool) -> None:
    if is_set:
        click.echo(f"momentseek {version('momentseek')}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option("--debug", is_flag=True, envvar="MOMENTSEEK_DEBUG", help="Show tracebacks and the library's log.")
@click.option("--log-json", is_flag=True, help="Log as JSON, like MOMENTSEEK_LOG_FORMAT=json.")
def momentseek(*, debug: bool, log_json: bool) -> None:
    """Search video by describing the moment.

    \b
    momentseek index videos/              add videos to a library
    momentseek search "a red car turns"   find moments in it
    """  # noqa: D301 - click expects the character itself, not a backslash and a b
    is_json = is_wanted(requested=log_json)
    level = logging.DEBUG if debug else logging.INFO if is_json else logging.ERROR
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("pipeline").setLevel(level)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter() if is_json else PlainFormatter())
    if debug:
        os.environ["MOMENTSEEK_DEBUG"] = "1"


for _command in (
    index,
    rebuild,
    migrate,
    verify,
    search,
    label,
    labels,
    unusual,
    library_map,
    mark,
    marks,
    review,
    concept,
    concepts,
    check,
    route,
    duplicates,
    export_dataset,
    videos,
    metadata,
    remove,
    runs,
    submit,
    jobs,
    evaluate,
    experiment,
    cuts,
    config,
    trust,
    doctor,
    demo,
):
    momentseek.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: success, even if a search finds nothing. 1: failure. 2: an invalid question, setting or source. 3: `check`
    flagged what `--fail-on` names. 130: interrupted. 143: ended by SIGTERM.

    Raises:
        Exception: The original exception, with --debug.
    """
    try:
        result = momentseek.main(args=arguments, prog_name="momentseek", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return _complain("interrupted", _INTERRUPTED)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption) and error.possibilities:
            error.possibilities[:] = _similar(error.option_name, error.possibilities)
        error.show()
        if isinstance(error, click.NoSuchOption):
            _hint_at_files(sys.argv[1:] if arguments is None else arguments)
        return error.exit_code
    except BrokenPipeError:
        # The reader of the pipe has closed it; Python must not fail again when it flushes at exit. Click, too, exits
        # with 1.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MomentseekError as error:
        if os.environ.get("MOMENTSEEK_DEBUG"):
            raise
        return _complain(f"error: {error}", 2 if isinstance(error, ConfigError | QueryError | SourceError) else 1)
    except Exception as error:
        if os.environ.get("MOMENTSEEK_DEBUG"):
            raise
        problem = f"error: unexpected {type(error).__name__}: {error}"
        return _complain(f"{problem} (a bug in momentseek; --debug shows the traceback)", 1)
    return result if isinstance(result, int) else 0


def _similar(option: str, possibilities: Sequence[str]) -> list[str]:
    """Select the options similar to one, ignoring the leading dashes, which click includes in the comparison."""
    names = {possible.lstrip("-"): possible for possible in possibilities}
    near = difflib.get_close_matches(option.lstrip("-"), names, cutoff=_MIN_SIMILARITY)
    return [names[name] for name in near]


def _hint_at_files(arguments: Sequence[str]) -> None:
    """Print a hint if an argument that was parsed as an option is the name of a file."""
    for name in arguments:
        if name.startswith("-") and os.path.lexists(name):
            _complain(f"{name!r} is a file here; write it as {'./' + name!r}", 2)


def _complain(message: str, code: int) -> int:
    from pipeline.cli.console.tables import complain
    from pipeline.uris import public_text

    complain(public_text(message))
    return code
