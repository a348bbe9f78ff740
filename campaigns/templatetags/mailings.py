"""Campaigns on pages: `{% load mailings %}{{ campaign|named }}`."""

from django import template

from campaigns import recipes

register = template.Library()
register.filter("named", recipes.name_of)
