"""The planner: when and whether each person gets a campaign, and why not. Pure."""

from apps.campaigns.planner.decision import Decision, Due, Facts, Suppressed, plan, spread
from apps.campaigns.planner.rules import Rules
from apps.campaigns.planner.schedule import Kind, Schedule

__all__ = ["Decision", "Due", "Facts", "Kind", "Rules", "Schedule", "Suppressed", "plan", "spread"]
