"""How a journey's steps hang together: no step that nobody reaches, no loop without a wait. Pure."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.campaigns.errors import JourneyInvalid
from apps.campaigns.journeys.definition import Definition, Step, Wait, WaitUntil


def check_graph(definition: Definition) -> None:
    """Raises JourneyInvalid with the path of the first step that is wrong. References were checked by reading."""
    reached = _reachable(definition)
    for number, step in enumerate(definition.steps):
        if step.id not in reached:
            raise JourneyInvalid(f"steps[{number}]", _("Nobody reaches this step."))
    _check_loops(definition)


def _reachable(definition: Definition) -> set[str]:
    reached: set[str] = set()
    ahead = [definition.first]
    while ahead:
        step_id = ahead.pop()
        if step_id not in reached:
            reached.add(step_id)
            ahead += [following for following in definition.step(step_id).follows if following is not None]
    return reached


def _check_loops(definition: Definition) -> None:
    """Takes away, again and again, steps that lead only to waits or to the end: what is left goes in circles."""
    left = {step.id: _leads_on(step) for step in definition.steps if not isinstance(step, Wait | WaitUntil)}
    while free := [step_id for step_id, follows in left.items() if not follows & left.keys()]:
        for step_id in free:
            del left[step_id]
    for number, step in enumerate(definition.steps):
        if step.id in left:
            raise JourneyInvalid(f"steps[{number}]", _("This step is in a loop, or leads to one, that never waits."))


def _leads_on(step: Step) -> set[str]:
    return {following for following in step.follows if following is not None}
