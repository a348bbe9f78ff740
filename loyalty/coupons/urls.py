from django.urls import path

from loyalty.coupons import api

urlpatterns = [
    path("api/v1/coupons/check", api.CouponCheck.as_view(), name="coupons_check"),
    path("api/v1/coupons/reserve", api.CouponReserve.as_view(), name="coupons_reserve"),
    path("api/v1/coupons/redeem", api.CouponRedeem.as_view(), name="coupons_redeem"),
    path("api/v1/coupons/issue", api.CouponIssue.as_view(), name="coupons_issue"),
    path("api/v1/coupons/void", api.CouponVoid.as_view(), name="coupons_void"),
    path("api/v1/redemptions/<int:pk>", api.RedemptionDetail.as_view(), name="redemption"),
    path("api/v1/redemptions/<int:pk>/redeem", api.RedemptionRedeem.as_view(), name="redemption_redeem"),
    path("api/v1/redemptions/<int:pk>/release", api.RedemptionRelease.as_view(), name="redemption_release"),
]
