"""The gates as functions: a result and a limit in, a judged result out."""

from pytest_mia.verdicts.gates import enforce, epsilon, membership_advantage, regression, tpr

__all__ = ["enforce", "epsilon", "membership_advantage", "regression", "tpr"]
