from loyalty.models.assessment import Assessment, Transition
from loyalty.models.bond_check import BondCheck
from loyalty.models.coupon import Coupon, CouponBatch, CouponCustomer, CouponEntry, Redemption
from loyalty.models.figure import StoredFigure
from loyalty.models.lifetime import LifetimeFit, LifetimeValue
from loyalty.models.metrics import Metrics
from loyalty.models.month import MonthEnd, Standing
from loyalty.models.rules import Calibration, RuleSet

__all__ = [
    "Assessment",
    "BondCheck",
    "Calibration",
    "Coupon",
    "CouponBatch",
    "CouponCustomer",
    "CouponEntry",
    "LifetimeFit",
    "LifetimeValue",
    "Metrics",
    "MonthEnd",
    "Redemption",
    "RuleSet",
    "Standing",
    "StoredFigure",
    "Transition",
]
