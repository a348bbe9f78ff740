"""Doors to `crm.sync` that know the form of a shop system's data."""
