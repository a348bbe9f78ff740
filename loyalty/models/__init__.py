from loyalty.models.assessment import Assessment, Transition
from loyalty.models.figure import StoredFigure
from loyalty.models.metrics import Metrics
from loyalty.models.month import MonthEnd, Standing
from loyalty.models.rules import Calibration, RuleSet

__all__ = ["Assessment", "Calibration", "Metrics", "MonthEnd", "RuleSet", "Standing", "StoredFigure", "Transition"]
