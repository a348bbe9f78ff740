from loyalty.models.assessment import Assessment, Transition
from loyalty.models.metrics import Metrics
from loyalty.models.rules import Calibration, RuleSet

__all__ = ["Assessment", "Calibration", "Metrics", "RuleSet", "Transition"]
