"""How addresses and numbers are shown to staff who may not see them (capability `pii.view`): enough to tell two
apart, not enough to use."""

DOTS = "•••"


def masked(kind: str, value: str) -> str:
    """A contact point of a kind of `ContactPoint.Kind` as initials or last digits; nothing at all of the others."""
    if kind == "email":
        name, _, domain = value.partition("@")
        return f"{name[:1]}{DOTS}@{domain[:1]}{DOTS}"
    if kind == "phone":
        return f"{DOTS} {value[-2:]}" if len(value) > 5 else DOTS
    return DOTS
