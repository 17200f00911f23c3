"""Index videos as a Ray job.

    ray job submit --working-dir . -- python -m jobs.index_videos /videos --library /data/library --config default

The cluster is the one that runs the job. Its machines must see videos and library at the same paths; the job itself is
the one writer of the library. Arguments, output and exit code are those of `momentseek index`.

`momentseek submit` sends `--batch FOLDER` in their place: the folder holds the configuration (config.yaml), the sources
and what they need (batch.json), lists and manifests that were read where it was submitted, a small model's files, and
the label file with its examples.
Then each report, and now and then how far the batch is, is a line of JSON, which `momentseek jobs` reads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.environment import take_sent_variables
from jobs.requirements import missing, python_here
from pipeline.errors import MomentseekError

__all__ = ["main"]

_PROGRESS_SECONDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `momentseek index` with these arguments, or those of the command line; its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--batch"] and len(given) == 2:
        folder = Path(given[1])
        batch = json.loads((folder / "batch.json").read_text(encoding="utf-8"))
        faults = list(missing(batch["requirements"]))
        if faults:
            sys.stderr.write(_said(batch["momentseek"], faults))
            return 1
        take_sent_variables()
        try:
            given = _told(batch["sources"], folder)
        except MomentseekError as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
    from pipeline.cli import main as momentseek

    return momentseek(["index", *given])


def _told(sources: Sequence[str | dict[str, str]], folder: Path) -> list[str]:
    """What `momentseek index` is told of a batch, once the model's files are where its configuration says.

    Names are as they were given; lists and manifests, the batch's files. Behind "--" nothing is an option, whatever a
    file is called. The library is said again, since a variable of the cluster's machine could name another one.

    Raises:
        ConfigError: A file of the model is not on this machine.
        StoreError: The files of the model or of the labels cannot be put into the library.
    """
    from pipeline.library.privacy import apply_privacy
    from pipeline.run_config import load_run_config
    from pipeline.submission.label_files import store_labels
    from pipeline.submission.model_files import check_model, store_model

    path = str(folder / "config.yaml")
    config = load_run_config(path)
    apply_privacy(config)
    store_model(folder, config.library)
    store_labels(folder, config.library)
    check_model(config.encoder)
    names = [source if isinstance(source, str) else str(folder / source["file"]) for source in sources]
    options = ["--config", path, "--library", config.library]
    return ["--json", "--progress-every", str(_PROGRESS_SECONDS), *options, "--", *names]


def _said(version: str, faults: Sequence[str]) -> str:
    listed = "\n".join(f"  {fault}" for fault in faults)
    return (
        f"error: {python_here()} of this cluster lacks what momentseek {version} needs:\n{listed}\n"
        "Start Ray from an environment in which momentseek is installed, or submit with --pip\n"
    )


if __name__ == "__main__":
    sys.exit(main())
