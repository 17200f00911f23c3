"""Routing: the destinations of a video, by the decision of a policy about it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.analyze.policies.decision import Decision, RuleOutcome
from pipeline.analyze.policies.policy import Action, Policy, Severity
from pipeline.errors import ConfigError

__all__ = ["Route", "check_routes", "route_of"]


@dataclass(frozen=True)
class Route:
    """The destinations of a video, and the rules that determined them.

    Attributes:
        destinations: Distinct names of destinations; empty if the policy has none for such a video.
        rules: The rules that determined them.
        is_unchecked: Whether the video could not be checked as far as these rules require.
    """

    destinations: tuple[str, ...]
    rules: tuple[str, ...] = ()
    is_unchecked: bool = False

    def severity(self, policy: Policy) -> Severity | None:
        """Return the highest severity of the rules that determined the route; None without any."""
        found = [policy.rules[name].severity for name in self.rules]
        return max(found, key=lambda severity: severity.rank) if found else None


def check_routes(policy: Policy) -> None:
    """Reject a policy that routes nothing.

    Raises:
        ConfigError: No rule has the action route.
    """
    if not any(rule.action is Action.ROUTE for rule in policy.rules.values()):
        raise ConfigError(
            f"no rule of the policy {policy.name!r} has the action route; give one `action: route` and `to: NAME`, of a"
            " destination under `destinations`"
        )


def route_of(policy: Policy, decision: Decision) -> Route:
    """Determine the destinations of a video.

    With `match: first`, the first rule that flags the video determines its route. If an earlier rule could not be
    evaluated, or only on a part of the video, it is unknown whether that rule would have flagged it: the video is then
    unchecked. So neither damage nor an unknown word lets a video pass a rule. With `match: all`, all rules that flag
    the video count, and `unchecked` as well if something could not be evaluated. Cooldowns have no effect.

    Args:
        policy: The policy.
        decision: Its decision about the video.
    """
    outcomes = {outcome.rule: outcome for outcome in decision.rules}
    flagging: list[str] = []
    is_unchecked = decision.problem is not None
    for name, rule in policy.rules.items():
        outcome = outcomes.get(name)
        if rule.action is not Action.ROUTE or outcome is None or not outcome.is_applicable:
            continue
        if outcome.flags:
            flagging.append(name)
            if policy.match == "first":
                return _route(policy, flagging, is_unchecked=False)
        elif _is_open(decision, outcome):
            is_unchecked = True
            if policy.match == "first":
                break
    return _route(policy, flagging, is_unchecked=is_unchecked)


def _is_open(decision: Decision, outcome: RuleOutcome) -> bool:
    """Whether a rule without flags might have flagged parts that could not be checked."""
    return decision.problem is not None or outcome.problem is not None


def _route(policy: Policy, rules: list[str], *, is_unchecked: bool) -> Route:
    names = [name for rule in rules for name in policy.rules[rule].to]
    if is_unchecked:
        names += policy.unchecked
    elif not rules:
        names += policy.otherwise
    return Route(tuple(dict.fromkeys(names)), tuple(rules), is_unchecked)
