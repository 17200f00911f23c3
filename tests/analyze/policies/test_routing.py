from __future__ import annotations

import pytest
import yaml

from pipeline.analyze.policies.decision import Decision, RuleOutcome, decision_from, decision_json
from pipeline.analyze.policies.flags import BestFrame, Flag
from pipeline.analyze.policies.policy import Policy, as_policy
from pipeline.analyze.policies.routing import check_routes, route_of
from pipeline.errors import ConfigError

FLAG = Flag(0.0, 2.0, BestFrame(1.0, 0.9, {"x": 0.9}), 0.8, cooled_by="other at 0.000 s")


def policy(match: str) -> Policy:
    return as_policy(
        yaml.safe_load(f"""
match: {match}
rules:
  worse: {{when: x, action: route, to: [held, seen], severity: critical}}
  tagged: {{when: x}}
  better: {{when: x, action: route, to: publish}}
destinations: {{held: {{folder: a}}, seen: {{folder: b}}, publish: {{folder: c}}, away: {{folder: d}}}}
otherwise: publish
unchecked: away
""")
    )


def decision(worse: str = "", better: str = "", tagged: str = "", problem: str | None = None) -> Decision:
    def outcome(name: str, what: str) -> RuleOutcome:
        flags = (FLAG,) if what == "flag" else ()
        return RuleOutcome(name, flags, problem="why" if what == "open" else None, is_applicable=what != "none")

    rules = outcome("worse", worse), outcome("tagged", tagged), outcome("better", better)
    return Decision("v", "v.mp4", "now", "input", rules, problem)


@pytest.mark.parametrize(
    ("given", "first", "every"),
    [
        (decision(), "publish", "publish"),
        (decision("flag"), "held seen", "held seen"),
        (decision("flag", "flag"), "held seen", "held seen publish"),
        (decision("", "flag"), "publish", "publish"),
        (decision("none", "flag"), "publish", "publish"),
        (decision("", "", "flag"), "publish", "publish"),
        (decision("", "", "open"), "publish", "publish"),
        # What a rule could not see may have been its to hold.
        (decision("open"), "away", "away"),
        (decision("open", "flag"), "away", "publish away"),
        (decision("flag", "open"), "held seen", "held seen away"),
        (decision(problem="damaged"), "away", "away"),
        (decision("flag", problem="damaged"), "held seen", "held seen away"),
        (decision("", "flag", problem="damaged"), "away", "publish away"),
    ],
)
def test_destinations_follow_from_the_decision(given: Decision, first: str, every: str) -> None:
    assert route_of(policy("first"), given).destinations == tuple(first.split())
    assert route_of(policy("all"), given).destinations == tuple(every.split())


def test_a_route_is_as_severe_as_its_worst_rule() -> None:
    made = policy("all")
    assert route_of(made, decision("flag", "flag")).severity(made) == "critical"
    assert route_of(made, decision("", "flag")).severity(made) == "medium"
    assert route_of(made, decision()).severity(made) is None


def test_a_policy_that_routes_nothing_is_refused() -> None:
    check_routes(policy("all"))
    with pytest.raises(ConfigError, match="no rule of the policy 'tags' has the action route"):
        check_routes(as_policy({"name": "tags", "rules": {"tagged": {"when": "x"}}}))


def test_a_route_names_the_rules_that_decided_and_each_destination_once() -> None:
    made = policy("all")
    route = route_of(made, decision("flag", "flag", "flag"))
    assert (route.rules, route.is_unchecked) == (("worse", "better"), False)
    route = route_of(made, decision("flag", "open"))
    assert (route.rules, route.is_unchecked) == (("worse",), True)
    assert route_of(policy("first"), decision("flag", "flag")).rules == ("worse",)


def test_a_decision_is_the_same_once_written_and_read() -> None:
    given = decision("flag", "open", problem="damaged")
    assert decision_from(decision_json(given)) == given
    for broken in ({}, {**decision_json(given), "rules": [1]}, {**decision_json(given), "uri": 3}):
        with pytest.raises(ValueError, match=r"no decision|expected|text"):
            decision_from(broken)
