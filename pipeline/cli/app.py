"""The command `momentseek`: subcommands, error handling and exit codes."""

from __future__ import annotations

import difflib
import logging
import os
import sys
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from importlib import import_module

import click

from pipeline.cli.console.json_log import JsonFormatter, PlainFormatter, is_wanted
from pipeline.errors import ConfigError, MomentseekError, QueryError, SourceError
from pipeline.optional_packages import missing_package

__all__ = ["main"]

_INTERRUPTED = 130
# Minimum similarity (difflib's ratio, 0 to 1) at which an existing option is suggested for an unknown one.
_MIN_SIMILARITY = 0.6
# Stands for a hyphen while a text is wrapped: a character of the private use area, at which no line is broken.
_HYPHEN = "\ue000"


_COMMANDS = {
    "index": "index:index",
    "index rebuild": "index_maintenance:rebuild",
    "index migrate": "index_maintenance:migrate",
    "index verify": "index_maintenance:verify",
    "search": "search:search",
    "label": "analysis.label:label",
    "labels": "analysis.labels:labels",
    "unusual": "analysis.unusual:unusual",
    "map": "analysis.map:library_map",
    "mark": "analysis.mark:mark",
    "marks": "analysis.marks:marks",
    "review": "analysis.review:review",
    "concept": "analysis.concept:concept",
    "concepts": "analysis.concepts:concepts",
    "check": "analysis.check:check",
    "route": "analysis.route:route",
    "duplicates": "analysis.duplicates:duplicates",
    "export-dataset": "analysis.export_dataset:export_dataset",
    "videos": "videos:videos",
    "metadata": "metadata:metadata",
    "remove": "remove:remove",
    "runs": "runs:runs",
    "serve": "serving.serve:serve",
    "submit": "submit:submit",
    "jobs": "jobs:jobs",
    "evaluate": "evaluate:evaluate",
    "experiment": "experiment:experiment",
    "cuts": "cuts:cuts",
    "config": "config:config",
    "trust": "trust:trust",
    "mcp": "serving.mcp:mcp",
    "doctor": "doctor:doctor",
    "demo": "demo:demo",
}
"""The commands in the order of the help, and where each is defined below `pipeline.cli.commands`."""


class _LazyCommands(MutableMapping[str, click.Command]):
    """The commands by name; a command's module is imported when the command is first used."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = _COMMANDS[name].partition(":")
            self._loaded[name] = getattr(import_module(f"pipeline.cli.commands.{module}"), attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("commands cannot be removed")

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in _COMMANDS


class _HelpFormatter(click.HelpFormatter):
    """A formatter that breaks lines at spaces only, so that options and paths with hyphens stay whole."""

    def write_text(self, text: str) -> None:
        """Write a text, wrapped at spaces."""
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write rows of two columns, wrapped at spaces."""
        super().write_dl([(first, second.replace("-", _HYPHEN)) for first, second in rows], col_max, col_spacing)

    def write(self, string: str) -> None:
        """Write a wrapped text."""
        super().write(string.replace(_HYPHEN, "-"))


# The class of all commands' formatters: click's contexts do not inherit it from their parent.
click.Context.formatter_class = _HelpFormatter


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
        from importlib.metadata import version

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
    else:
        # It may be set to "0" or "no", and later readers check only whether it is set.
        os.environ.pop("MOMENTSEEK_DEBUG", None)


momentseek.commands = _LazyCommands()


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
    except Exception as error:
        if os.environ.get("MOMENTSEEK_DEBUG"):
            raise
        return _fail(missing_package(error) or error)
    return result if isinstance(result, int) else 0


def _fail(error: Exception) -> int:
    """Report an error, and return the exit code."""
    if isinstance(error, MomentseekError):
        return _complain(f"error: {error}", 2 if isinstance(error, ConfigError | QueryError | SourceError) else 1)
    problem = f"error: unexpected {type(error).__name__}: {error}"
    return _complain(f"{problem} (a bug in momentseek; --debug shows the traceback)", 1)


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
