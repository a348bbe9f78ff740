"""Coupons: codes nobody guesses, redeemed exactly as often as allowed, right after returns (`docs/coupons.md`)."""
