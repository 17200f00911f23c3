"""The HTML page of an experiment: quality with intervals, costs, and differences between variants."""

from __future__ import annotations

from pipeline.evaluate import question_differences
from pipeline.evaluate.report.style import EVALUATION_STYLE
from pipeline.experiments.report.cases import wins_and_losses
from pipeline.experiments.report.cells import badge, between, cost_said, probability, with_interval
from pipeline.experiments.report.figures import (
    COSTS,
    METRIC,
    ExperimentFigures,
    VariantComparison,
    VariantFigures,
    compare_with_best,
    contrast,
)
from pipeline.experiments.report.plots import Point, difference_mark, question_columns, scatter
from pipeline.experiments.report.style import EXPERIMENT_STYLE
from pipeline.experiments.results import ExperimentResult, VariantResult
from pipeline.render.markup import Markup, joined, tag
from pipeline.render.page import cards, folded, legend, page, section, table
from pipeline.render.plot_area import Caption, percent
from pipeline.render.text import file_name
from pipeline.run_config import RunConfig
from pipeline.timecode import format_seconds
from pipeline.video import IndexedVideos, make_decoder

__all__ = ["experiment_page", "result_page"]

_SHOWN = {
    METRIC: "mAP",
    "MR-full-R1@0.5": "R1@0.5",
    "MR-full-R1@0.7": "R1@0.7",
    "MR-full-mIoU": "mIoU",
    "absent-rejected": "rejected",
}
_COST_HEADS = {"frames": "frames/h", "decoding": "decoding s/h", "megabytes": "MB/h", "rows": "rows"}
_LIKELY_CHANCE = 0.05


def experiment_page(figures: ExperimentFigures, *, videos: IndexedVideos) -> str:
    """Draw an experiment as one self-contained HTML document.

    Args:
        figures: The experiment's figures.
        videos: Opens the videos for thumbnails.

    Raises:
        ConfigError: The variants were not asked the same questions.
    """
    rows, pair = compare_with_best(figures), contrast(figures)
    content = [
        _header(figures),
        _tiles(figures, rows),
        _quality(figures),
        _costs(figures),
        _differences(figures, rows),
        Markup() if pair is None else wins_and_losses(*pair, _columns(*pair), videos),
        _settings(figures),
        _pass(figures),
        _footer(figures),
    ]
    return page(figures.title, content, style=EVALUATION_STYLE + EXPERIMENT_STYLE)


def _header(figures: ExperimentFigures) -> Markup:
    answers = figures.best.evaluation.answers
    absent = figures.best.evaluation.absent
    about = f", {absent} of them absent" if absent else ""
    return tag(
        "header",
        tag("p", "momentseek \u00b7 experiment", class_="kicker"),
        tag("h1", figures.title),
        tag(
            "p",
            f"{len(figures.variants)} variants \u00b7 {len(answers):,} questions{about}"
            f" \u00b7 {figures.videos:,} videos, {format_seconds(figures.video_seconds)}",
        ),
        tag("p", f"labels {', '.join(map(file_name, figures.labelled))}"),
    )


def _tiles(figures: ExperimentFigures, rows: tuple[VariantComparison, ...]) -> Markup:
    best = figures.best
    low, high = best.evaluation.intervals.get(METRIC, (0.0, 0.0))
    tiles = [
        ("best mean average precision", f"{best.quality:.1f} %", f"{best.name}; {low:.1f} to {high:.1f}", Markup())
    ]
    cheap = _cheapest_as_good(figures, rows)
    if cheap is not None:
        row, share = cheap
        explanation = f"{row.variant.name}: {row.difference.difference:+.1f} ({between(row.difference.interval)})"
        tiles.append(("fewest frames without a significant loss", f"{percent(share)} of them", explanation, Markup()))
    alone = sum(each.frames for each in figures.variants)
    share = figures.distinct_frames / (alone or 1)
    explanation = f"{figures.distinct_frames:,} frames instead of {alone:,} for separate runs"
    tiles.append(("encoded in one pass", percent(share), explanation, Markup()))
    return cards(tiles)


def _cheapest_as_good(
    figures: ExperimentFigures, rows: tuple[VariantComparison, ...]
) -> tuple[VariantComparison, float] | None:
    """Find the cheapest variant with fewer frames than the best and no significant difference from it."""
    frames = figures.best.costs["frames"]
    like = [row for row in rows if row.p_value > _LIKELY_CHANCE and row.variant.costs["frames"] < frames]
    if not like:
        return None
    row = min(like, key=lambda each: each.variant.costs["frames"])
    return row, row.variant.costs["frames"] / frames


def _quality(figures: ExperimentFigures) -> Markup:
    names = [name for name in _SHOWN if any(name in each.evaluation.metrics for each in figures.variants)]
    costs = [cost for cost in COSTS if any(cost in each.costs for each in figures.variants)]
    front = figures.front("frames")
    rows = []
    for number, each in enumerate(figures.variants, 1):
        metrics, edges = each.evaluation.metrics, each.evaluation.intervals
        scores = [with_interval(metrics[name], edges[name]) if name in metrics else "-" for name in names]
        rows.append(
            [
                badge(number, is_on_front=each.name in front),
                tag("b", each.name),
                *scores,
                *(cost_said(each.costs.get(cost)) for cost in costs),
            ]
        )
    how = figures.best.evaluation.resampling
    explanation = (
        f"Per cent, with 95 % bootstrap intervals over {how.count:,} {how.unit} below; rejected: absent questions that"
        " are answered with nothing. Filled numbers are worth their cost: no other variant has a higher mAP for as few"
        " frames, or the same mAP for fewer. Intervals of two variants may overlap and the variants still differ: see"
        " the differences."
    )
    header = ["", "variant", *(_SHOWN[name] for name in names), *(_COST_HEADS[cost] for cost in costs)]
    return section(
        "Quality and cost of each variant",
        tag("p", explanation, class_="quiet"),
        table(header, rows, right=range(2, len(header))),
    )


def _costs(figures: ExperimentFigures) -> Markup:
    plots, alike = [], []
    for cost, meaning in COSTS.items():
        known = [(number, each) for number, each in enumerate(figures.variants, 1) if each.costs.get(cost)]
        if len(known) < 2:
            continue
        if figures.is_alike(cost):
            alike.append(f"{meaning}: {cost_said(known[0][1].costs[cost])} for all")
            continue
        front = figures.front(cost)
        points = [
            Point(
                number,
                each.name,
                each.costs[cost],
                each.quality,
                each.evaluation.intervals.get(METRIC, (each.quality, each.quality)),
                each.name in front,
            )
            for number, each in known
        ]
        description = "; ".join(f"{point.name}: {point.quality:.1f} at {cost_said(point.cost)}" for point in points)
        caption = Caption(f"cost-{cost}", f"mAP and {meaning}", description)
        plots.append(tag("div", scatter(caption, points, x_label=f"{meaning} \u2192", y_label="mAP \u2191")))
    content = [tag("div", *plots, class_="planes")] if plots else []
    if alike:
        content.append(tag("p", "; ".join(alike).capitalize() + ".", class_="quiet"))
    explanation = (
        "The dashed line is the Pareto front: points below it cost more for less quality. The line through a number is"
        " its 95 % interval; numbers are those of the table."
    )
    return section(
        "Quality against cost",
        tag("p", explanation, class_="quiet"),
        legend(("worth", "worth its cost"), ("beaten", "dominated by another variant")),
        *content,
    )


def _differences(figures: ExperimentFigures, rows: tuple[VariantComparison, ...]) -> Markup:
    if not rows:
        return Markup()
    numbers = {each.name: number for number, each in enumerate(figures.variants, 1)}
    reach = max(abs(edge) for row in rows for edge in (*row.difference.interval, row.difference.difference))
    cells = [_difference_cells(row, numbers[row.variant.name], reach) for row in rows]
    explanation = (
        "Mean difference of average precision to the best, question by question, with 95 % bootstrap intervals. p:"
        " probability of a difference at least as large if the two were equally good (randomisation test); corrected:"
        f" the same, for {len(rows)} comparisons (Holm). Better, worse: numbers of questions. A variant"
        " without a significant difference may still be worse, by as much as its interval allows."
    )
    header = ["", "variant", "", "mAP", "interval", "p", "corrected", "better", "worse"]
    return section(
        f"Compared with the best, \u201c{figures.best.name}\u201d",
        tag("p", explanation, class_="quiet"),
        table(header, cells, right=range(3, len(header))),
    )


def _difference_cells(row: VariantComparison, number: int, reach: float) -> list[str]:
    found = row.difference
    return [
        badge(number),
        tag("b", row.variant.name),
        difference_mark(found.difference, found.interval, reach),
        f"{found.difference:+.1f}",
        between(found.interval),
        probability(found.p_value),
        probability(row.p_value),
        str(found.better),
        str(found.worse),
    ]


def _columns(before: VariantFigures, after: VariantFigures) -> Markup:
    found = question_differences(before.evaluation, after.evaluation, METRIC)
    rises = [(one.text, rise) for one, _, rise in found]
    same = sum(rise == 0 for _, rise in rises)
    description = (
        f"{sum(rise > 0 for _, rise in rises)} questions rise, {sum(rise < 0 for _, rise in rises)} fall, {same} stay"
    )
    return joined(
        [
            question_columns(Caption("questions", "Average precision, question by question", description), rises),
            tag("p", f"{description}.", class_="quiet"),
        ]
    )


def _settings(figures: ExperimentFigures) -> Markup:
    names = list(dict.fromkeys(name for each in figures.variants for name in each.changes))
    rows = [
        [badge(number), tag("b", each.name), *(_setting(each, name) for name in names)]
        for number, each in enumerate(figures.variants, 1)
    ]
    header = ["", "variant", *names]
    explanation = (
        "What each variant sets; the rest is as in the base, whose whole configuration is in every result's file."
    )
    return section("Settings", tag("p", explanation, class_="quiet"), table(header, rows))


def _setting(variant: VariantFigures, name: str) -> Markup:
    if name not in variant.changes:
        return tag("span", "\u00b7", class_="quiet")
    value = variant.changes[name]
    explanation = (
        " | ".join(map(str, value)) if isinstance(value, list | tuple) else "none" if value is None else str(value)
    )
    return tag("code", explanation)


def _pass(figures: ExperimentFigures) -> Markup:
    videos, pictures, frames = figures.decoded
    alone = sum(each.frames for each in figures.variants)
    explanation = (
        f"The variants sample {figures.distinct_frames:,} distinct frames, and each is encoded once; separate"
        f" runs would encode {alone:,}. A video is decoded once for all samplings. "
    )
    explanation += (
        f"In this run {videos:,} videos were read, {pictures:,} frames decoded and {frames:,} frames encoded;"
        f" including the scoring it took {figures.seconds:,.0f} s."
        if videos
        else f"In this run nothing had to be decoded or encoded; it took {figures.seconds:,.0f} s."
    )
    rows = [[each.name, each.made_at, f"{1000 * each.search_seconds:.1f} ms"] for each in figures.variants]
    return section(
        "One pass for all",
        tag("p", explanation),
        folded(
            "When each was scored",
            table(["variant", "scored at", "time per question"], rows, right=(2,)),
        ),
    )


def _footer(figures: ExperimentFigures) -> Markup:
    versions = {f"{name} {version}": None for each in figures.variants for name, version in each.versions.items()}
    return tag(
        "footer",
        tag("p", f"data {figures.data_fingerprint} \u00b7 {', '.join(versions)}"),
        tag(
            "p",
            f"Matching rule {figures.best.evaluation.rule}. As JSON: ",
            tag("code", "momentseek experiment FILE --json"),
        ),
    )


def result_page(result: ExperimentResult, config: RunConfig) -> str:
    """Draw a result as one self-contained HTML document.

    Args:
        result: The experiment's result.
        config: Configuration of the video decoder, for thumbnails: that of any variant.
    """
    embedded = result.embedded
    figures = ExperimentFigures(
        title=result.experiment.title,
        labelled=result.experiment.labelled,
        variants=tuple(map(_figures, result.variants)),
        videos=len(set(embedded.video_ids.values())),
        video_seconds=result.variants[0].kept.video_seconds,
        distinct_frames=result.distinct_frames,
        decoded=(embedded.videos_read, embedded.frames_decoded, embedded.frames_encoded),
        seconds=result.seconds,
        data_fingerprint=result.data_fingerprint,
    )
    places: dict[str, list[str]] = {}
    for uri, video_id in embedded.video_ids.items():
        places.setdefault(video_id, []).append(uri)
    decoder = make_decoder(config.decoding, config.fetching)
    return experiment_page(
        figures, videos=IndexedVideos(decoder, config.fetching, lambda video_id: places.get(video_id, ()))
    )


def _figures(result: VariantResult) -> VariantFigures:
    costs = {
        "frames": result.kept.frames_an_hour,
        "megabytes": result.kept.megabytes_an_hour,
        "rows": float(result.segments),
    }
    if result.decoding is not None:
        costs["decoding"] = result.decoding.seconds_an_hour
    return VariantFigures(
        name=result.name,
        changes=result.changes,
        evaluation=result.evaluation,
        costs=costs,
        frames=result.kept.frames,
        search_seconds=result.search_seconds,
        versions=result.versions,
        made_at=result.made_at,
    )
