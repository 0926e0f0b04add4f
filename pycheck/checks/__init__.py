"""A check: models in formats and quantizations, on runtimes, against budgets and the accepted release."""

from .beginning import begin
from .matrix import Plan, accept, check, plan

__all__ = ["Plan", "accept", "begin", "check", "plan"]
