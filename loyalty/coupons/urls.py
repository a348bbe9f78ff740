from django.urls import path

from loyalty.counter import pages as counter
from loyalty.counter import place
from loyalty.coupons import api, pages, single

urlpatterns = [
    path("api/v1/coupons/check", api.CouponCheck.as_view(), name="coupons_check"),
    path("api/v1/coupons/reserve", api.CouponReserve.as_view(), name="coupons_reserve"),
    path("api/v1/coupons/redeem", api.CouponRedeem.as_view(), name="coupons_redeem"),
    path("api/v1/coupons/issue", api.CouponIssue.as_view(), name="coupons_issue"),
    path("api/v1/coupons/void", api.CouponVoid.as_view(), name="coupons_void"),
    path("api/v1/redemptions/<int:pk>", api.RedemptionDetail.as_view(), name="redemption"),
    path("api/v1/redemptions/<int:pk>/redeem", api.RedemptionRedeem.as_view(), name="redemption_redeem"),
    path("api/v1/redemptions/<int:pk>/release", api.RedemptionRelease.as_view(), name="redemption_release"),
    path("counter/", counter.counter, name="counter"),
    path("counter/place/", place.choose, name="counter_place"),
    path("counter/redeem/", counter.redeem, name="counter_redeem"),
    path("counter/undo/", counter.undo, name="counter_undo"),
    path("counter/customers/<int:pk>/moment/", counter.moment, name="counter_moment"),
    path("coupons/", pages.overview, name="coupons"),
    path("coupons/new/", pages.new, name="coupon_new"),
    path("coupons/find/", pages.find, name="coupon_find"),
    path("coupons/give/", pages.give, name="coupon_give"),
    path("coupons/batches/<int:pk>/", pages.batch, name="coupon_batch"),
    path("coupons/batches/<int:pk>/issue/", pages.issue, name="coupon_issue"),
    path("coupons/batches/<int:pk>/stop/", pages.stop, name="coupon_stop"),
    path("coupons/batches/<int:pk>/print/", pages.print_sheet, name="coupon_print"),
    path("coupons/batches/<int:pk>/sheet.pdf", pages.pdf_sheet, name="coupon_pdf"),
    path("coupons/batches/<int:pk>/codes.csv", pages.download, name="coupon_download"),
    path("coupons/codes/<str:code>/", pages.code, name="coupon"),
    path("coupons/codes/<str:code>/void/", pages.void, name="coupon_void"),
    path("coupons/codes/<str:code>/replace/", single.replace, name="coupon_replace"),
    path("customers/<int:pk>/coupons/give/", single.give, name="coupon_give_one"),
]
