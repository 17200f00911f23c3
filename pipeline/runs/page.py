"""Draw a run's report as one self-contained HTML page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import yaml

from pipeline.render.markup import Markup, joined, tag
from pipeline.render.page import cards, folded, legend, page, section, table
from pipeline.render.plot_area import Caption, percent
from pipeline.render.plots import Line, bars, columns, lines, stacked
from pipeline.render.text import file_name
from pipeline.runs.figures import (
    TIMES,
    Throughput,
    busy_shares,
    clock,
    limit_of,
    megabytes,
    number,
    share_of_time,
    stage_rows,
    throughput,
    workers,
)
from pipeline.runs.report import Cause, RunReport

__all__ = ["RUN_STYLE", "run_page"]

RUN_STYLE = """
:root{--decode:#2f6fed;--wait:#e2a33b;--encode:#7c5cdb;--load:#c3b4f2;--store:#0f9f9a;--index:#57b94c;--on-idle:#667085}
@media (prefers-color-scheme:dark){:root{--decode:#5b96f7;--wait:#d99a35;--encode:#9a7ff0;--load:#5a4a91;
--store:#2bb3ad;--index:#5fbf55;--on-idle:#949aa6}}
.badge.finished{background:var(--done)}.badge.failed{background:var(--failed)}
.badge.interrupted{background:var(--partial)}
.badge.running{background:var(--accent)}
svg .line.decode{stroke:var(--decode)}svg .line.encode{stroke:var(--encode)}
svg text.on.idle{fill:var(--on-idle)}svg text.on.load{fill:var(--text)}
rect.decode{fill:var(--decode)}rect.wait{fill:var(--wait)}rect.encode{fill:var(--encode)}
rect.load{fill:var(--load)}rect.store{fill:var(--store)}rect.index{fill:var(--index)}
.dot.decode::before{background:var(--decode)}.dot.wait::before{background:var(--wait)}
.dot.encode::before{background:var(--encode)}.dot.load::before{background:var(--load)}
.dot.store::before{background:var(--store)}.dot.index::before{background:var(--index)}
"""


_STATUSES = ("done", "partial", "skipped", "failed")
_REFRESH_SECONDS = 60


def run_page(report: RunReport) -> str:
    """Build an HTML document: headline, plots with their figures as tables, causes of failures, configuration."""
    sections = [_throughput(report), _stages(report), _failures(report), _damage(report), _slowest(report)]
    return page(
        f"Run {report.run_id}",
        [_header(report), _tiles(report), *sections, _details(report), _footer(report)],
        style=RUN_STYLE,
        refresh_seconds=_REFRESH_SECONDS if report.outcome == "running" else None,
    )


def _header(report: RunReport) -> Markup:
    problem = tag("p", report.problem, class_="problem") if report.problem else Markup()
    if report.outcome == "running":
        # If the run is killed, nobody updates this page.
        notice = f"If this page is older than {clock(report.lost_after_seconds)}, the run ended without a report."
        problem = tag("p", notice, class_="quiet")
    job = f" · Ray job {report.job_id}" if report.job_id else ""
    until = "as of" if report.outcome == "running" else "to"
    return tag(
        "header",
        tag("p", "momentseek · run", class_="kicker"),
        tag("h1", report.run_id, tag("span", report.outcome, class_=f"badge {report.outcome}")),
        tag("p", f"{_time(report.started_at)} {until} {_time(report.updated_at)} UTC · library {report.library}{job}"),
        tag("p", f"encoder {report.encoder} · momentseek {report.momentseek}"),
        problem,
    )


def _tiles(report: RunReport) -> Markup:
    of_all = f"of {number(report.sources)}" if report.ended != report.sources else "all ended"
    rate = "-" if report.rate is None else f"{report.rate:.1f} {TIMES}"
    tiles = [
        ("videos", number(report.ended), of_all, _status_bar(report)),
        ("of video", clock(report.video_seconds), "done or partial", Markup()),
        ("speed", rate, "real time", Markup()),
        (
            "wall time",
            clock(report.elapsed_seconds),
            workers(report),
            Markup(),
        ),
        ("frames encoded", number(report.frames_sampled), f"of {number(report.frames_decoded)} decoded", Markup()),
        ("segments", number(report.segments), "written to the index", Markup()),
        ("memory", megabytes(report.peak_memory_bytes), "of the driver, at most", Markup()),
    ]
    return cards(tiles)


def _status_bar(report: RunReport) -> Markup:
    counts = [(status, report.counts.get(status, 0)) for status in _STATUSES]
    parts = [tag("i", class_=status, style=f"flex:{count}") for status, count in counts if count]
    labels = [tag("span", f"{number(count)} {status}", class_=f"dot {status}") for status, count in counts if count]
    return tag("div", tag("div", *parts, class_="share"), tag("p", *labels, class_="legend"))


def _throughput(report: RunReport) -> Markup:
    found = throughput(report)
    if not found.values or not any(found.values):
        return section("Throughput", tag("p", "No video was decoded.", class_="quiet"))
    return section(
        "Throughput",
        tag("p", "Seconds of video decoded per second, over the time since the run began.", class_="quiet"),
        _throughput_plot(report, found),
        tag("h3", "Utilisation of the workers"),
        legend(("decode", "readers"), ("encode", "encoders")),
        _utilisation_plot(report),
        _throughput_table(report, found),
    )


def _throughput_plot(report: RunReport, found: Throughput) -> Markup:
    average = sum(period.seconds_decoded for period in report.periods) / max(report.elapsed_seconds, 1e-3)
    lowest, highest = min(found.values), max(found.values)
    description = f"Seconds of video per second: from {lowest:.1f} to {highest:.1f}, {average:.1f} on average."
    return columns(
        Caption("pace", "Throughput over time", description),
        values=found.values,
        width=found.width_seconds,
        last_width=found.last_width_seconds,
        format_x=clock,
        format_y=lambda value: f"{value:g} {TIMES}",
        average=(average, f"{average:.1f} {TIMES} on average"),
    )


def _utilisation_plot(report: RunReport) -> Markup:
    readers, encoders = busy_shares(report)
    description = "Share of their time in which readers decoded and encoders encoded."
    return lines(
        Caption("busy", "Utilisation of the workers", description),
        series=[Line("readers", "decode", readers), Line("encoders", "encode", encoders)],
        end=report.elapsed_seconds,
        format_x=clock,
    )


def _throughput_table(report: RunReport, found: Throughput) -> Markup:
    starts = [number * found.width_seconds for number in range(len(found.values))]
    rows = [
        [clock(start), f"{value:.1f} {TIMES}", str(videos), percent(reading), percent(encoding)]
        for start, value, videos, reading, encoding in zip(
            starts, found.values, found.videos, *busy_shares(report), strict=True
        )
    ]
    header = ["from", "of real time", "videos ended", "readers busy", "encoders busy"]
    return table(header, rows, right=(1, 2, 3, 4), is_folded=True)


def _stages(report: RunReport) -> Markup:
    rows = stage_rows(report)
    shares = [(row, ", ".join(f"{part.name} {share_of_time(part, parts)}" for part in parts)) for row, parts in rows]
    description = " ".join(f"{row}: {share}." for row, share in shares)
    plot = stacked(Caption("stages", "Where the time went", description), rows=rows)
    kinds = {part.colour: part.name for _, parts in rows for part in parts if part.value > 0}
    cells = [[row, part.name, clock(part.value), share_of_time(part, parts)] for row, parts in rows for part in parts]
    return section(
        "Where the time went",
        tag("p", limit_of(report), class_="verdict"),
        plot,
        legend(*kinds.items()),
        table(["workers", "activity", "time", "share"], cells, right=(2, 3), is_folded=True),
    )


def _failures(report: RunReport) -> Markup:
    failed = report.counts.get("failed", 0)
    if not report.failures:
        return section("Failures", tag("p", "No video failed.", class_="quiet"))
    command = f"momentseek index --retry-failed --library {shlex.quote(report.library)}"
    return section(
        "Failures by cause",
        tag("p", f"{number(failed)} of {number(report.ended)} videos failed. To retry them, run:"),
        tag("pre", command),
        _cause_plot("failures", "Failures by cause", report.failures, "failed"),
        _cause_table(report.failures),
    )


def _damage(report: RunReport) -> Markup:
    if not report.damage:
        return Markup()
    return section(
        "Damaged videos",
        tag("p", "All parts that could be decoded are in the library.", class_="quiet"),
        _cause_plot("damage", "Damage by cause", report.damage, "partial"),
        _cause_table(report.damage),
    )


def _cause_plot(name: str, title: str, causes: Sequence[Cause], colour: str) -> Markup:
    rows = [(cause.cause, float(cause.videos), number(cause.videos)) for cause in causes[:12]]
    description = "; ".join(f"{count} videos: {cause}" for cause, _, count in rows)
    return bars(Caption(name, title, description), rows=rows, colour=colour)


def _cause_table(causes: Sequence[Cause]) -> Markup:
    rows = [
        [
            number(cause.videos),
            _cause_text(cause),
            joined(tag("div", example.uri, class_="name", title=example.problem) for example in cause.examples),
        ]
        for cause in causes
    ]
    return table(["videos", "cause", "examples"], rows, right=(0,))


def _cause_text(cause: Cause) -> str:
    """The problem itself, with its numbers and names, if all examples have the same one; otherwise the cause."""
    problems = {example.problem for example in cause.examples}
    return problems.pop() if len(problems) == 1 else cause.cause


def _slowest(report: RunReport) -> Markup:
    if not report.slowest:
        return Markup()
    rows = [(file_name(video.uri), video.elapsed_seconds, clock(video.elapsed_seconds)) for video in report.slowest]
    description = "; ".join(f"{label}: {time}" for label, _, time in rows[:5])
    cells = [
        [
            tag("span", video.uri, class_="name"),
            video.status,
            clock(video.elapsed_seconds),
            clock(video.duration_seconds),
            number(video.frames_sampled),
        ]
        for video in report.slowest
    ]
    return section(
        "Slowest videos",
        tag("p", "Time from the first read to the last write; several videos are processed at once.", class_="quiet"),
        bars(Caption("slowest", "Slowest videos", description), rows=rows[:10], colour="pace"),
        table(["video", "status", "took", "length", "frames"], cells, right=(2, 3, 4), is_folded=True),
    )


def _details(report: RunReport) -> Markup:
    settings = yaml.safe_dump(report.configuration, sort_keys=False, allow_unicode=True)
    prints = [[name, tag("code", value)] for name, value in report.fingerprints.items()]
    more = report.sources - len(report.first_sources)
    sources = "\n".join(report.first_sources) + (f"\nand {number(more)} more" if more > 0 else "")
    return section(
        "Settings and sources",
        folded("Configuration, with every default", tag("pre", settings)),
        folded(f"Sources ({number(report.sources)})", tag("pre", sources)),
        folded("Fingerprints", table(["of", "fingerprint"], prints)),
    )


def _footer(report: RunReport) -> Markup:
    command = f"momentseek runs show {shlex.quote(report.run_id)} --json --library {shlex.quote(report.library)}"
    return tag("footer", "This report as JSON: ", tag("code", command))


def _time(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z")
