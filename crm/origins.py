"""Which pages may show the sign-up form in a frame."""

from urllib.parse import urlsplit

from crm.models import Shop


def frame_origins(shop: Shop) -> list[str]:
    """The origins that may frame the form, one a line in the settings; what is no origin is left out."""
    return [origin for line in shop.embed_origins.split() if (origin := origin_of(line))]


def origin_of(address: str) -> str:
    """https://shop.example for such an address, "" for anything that is more, less or not safe in a header."""
    try:
        parts = urlsplit(address)
        bare = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return ""
    safe = parts.hostname and all(char.isalnum() or char in ".-" for char in parts.hostname)
    local = parts.hostname in ("localhost", "127.0.0.1")
    fitting = parts.scheme == "https" or (parts.scheme == "http" and local)
    return bare if safe and fitting and address.rstrip("/").lower() == bare and bare.isascii() else ""
