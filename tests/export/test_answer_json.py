from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

from pipeline.export import answer_json, moment_json
from pipeline.search import Answer, as_query, read_query
from pipeline.search.answer import Dropped, Explanation, Skipped
from pipeline.types import Moment

STEP = Moment(
    video_id="v1",
    uri="/a.mp4",
    start_seconds=1.0,
    end_seconds=2.0,
    best_seconds=1.5,
    score=0.9,
    best_pts=19_200,
    time_base=Fraction(1, 12_800),
)
MOMENT = replace(STEP, steps=(STEP, STEP), copies=(replace(STEP, video_id="v2", steps=(STEP, STEP)),))


def test_exact_times_are_texts_however_deep() -> None:
    fields = json.loads(json.dumps(moment_json(MOMENT)))
    assert fields["time_base"] == fields["steps"][1]["time_base"] == "1/12800"
    assert fields["copies"][0]["steps"][0]["time_base"] == "1/12800"
    assert Fraction(fields["time_base"]) * fields["best_pts"] == Fraction(3, 2)


def test_an_answer_holds_its_question_in_the_form_in_which_it_can_be_asked_again() -> None:
    query = as_query({"shows": ["a", {"image": "b.png"}], "without": "c", "then": [{"shows": "d"}], "page": 2})
    explanation = Explanation((), "", (), (Dropped(STEP, "why"),), (Skipped("v3", "/videos/c.mp4", "short"),))
    answer = Answer(
        query=query, moments=(), found=7, top=5, min_score=0.5, nearest=STEP, curves={}, explanation=explanation
    )
    fields = json.loads(json.dumps(answer_json(answer)))
    assert read_query(json.dumps(fields["query"])) == query
    assert (fields["found"], fields["first_rank"], fields["moments"]) == (7, 6, [])
    assert fields["nearest"] == json.loads(json.dumps(moment_json(STEP)))
    assert fields["unknown_words"] == []
    assert answer_json(replace(answer, unknown_words=("dragon",)))["unknown_words"] == ["dragon"]
    assert "explanation" not in fields
    explained = answer_json(answer, explained=True)["explanation"]
    assert explained["dropped"] == [{"why": "why", "moment": moment_json(STEP)}]
    assert explained["skipped"] == [{"video_id": "v3", "uri": "/videos/c.mp4", "why": "short"}]
    broken = replace(explanation, skipped=(Skipped("v3", "v3", "v3.parquet: is broken", is_broken=True),))
    [said] = answer_json(replace(answer, explanation=broken), explained=True)["explanation"]["skipped"]
    assert said["is_broken"] is True
