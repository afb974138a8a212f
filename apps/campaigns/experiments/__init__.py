"""Experiments: who gets which variant, and when a difference may be believed. Pure."""

from apps.campaigns.experiments.arms import Experiment, Metric, Variant, Winner

__all__ = ["Experiment", "Metric", "Variant", "Winner"]
