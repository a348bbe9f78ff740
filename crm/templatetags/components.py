"""`<c-name …>` as django-cotton writes and means it, drawn with less ado: a page has a hundred components.

Which file a component is, what it names and what it falls back to is found out once for each place that uses it.
"""

from typing import Any

from django import template
from django.template import Context
from django.template.base import Parser, Token
from django.template.loader import get_template
from django_cotton.templatetags import Attrs, UnprocessableDynamicAttr
from django_cotton.templatetags._component import (
    _MISSING,
    AttrKind,
    CottonComponentNode,
    PreparedValue,
    cotton_component,
)
from django_cotton.templatetags._vars import CottonVarsNode
from django_cotton.utils import get_cotton_data

from crm.templating import prepare, quick

register = template.Library()
Given = tuple[str, Any, Any]  # a name, its value, and the template or variable whose value it is instead


class Component(CottonComponentNode):
    """One use of a component."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.given = [_given(one.key, one) for one in self._prepared_attrs]
        self.drawn: tuple[Any, list[Given], frozenset[str], bool] | None = None

    def render(self, context: Context) -> str:
        stack = get_cotton_data(context)["stack"]
        slots: dict[str, str] = {}
        stack.append({"key": self.component_name, "attrs": {}, "slots": slots})
        named = _valued(self.given, context)
        slot = self.nodelist.render(context)
        nodes, defaults, names, passes_on = self.drawn or self.look_up()
        known = {name.replace("-", "_"): value for name, value in named.items()}
        missing = [one for one in defaults if one[0] not in known and one[0] not in slots]
        known = {**_valued(missing, context), **slots, **known, "slot": slot}
        if passes_on:
            known["attrs"] = attrs = Attrs(named)
            attrs._exclude_from_str = names
        with context.push(known):
            written = nodes.render(context)
        stack.pop()
        return written

    def look_up(self) -> tuple[Any, list[Given], frozenset[str], bool]:
        """The component's nodes, its defaults, its own names, and whether it passes other attributes on."""
        found = get_template(self._generate_component_template_path(self.component_name, None)).template  # type: ignore[attr-defined]
        own = [node for node in found.nodelist if isinstance(node, CottonVarsNode)]
        defaults = [_given(one.accessible_key, one) for node in own for one in node._prepared_vars]
        names = {one.exclude_key for node in own for one in node._prepared_vars}.union(
            *(node.empty_vars for node in own)
        )
        nodes = template.NodeList(node for node in found.nodelist if not isinstance(node, CottonVarsNode))
        self.drawn = nodes, defaults, frozenset(names), "attrs" in found.source
        return self.drawn


def _given(name: str, one: Any) -> Given:
    value, compiled = one.value, one.compiled
    if isinstance(compiled, PreparedValue):
        if compiled._template is None and not isinstance(compiled._literal, str) and compiled._literal is not _MISSING:
            return name, compiled._literal, None  # such as :small="True"
        compiled._variable = quick(compiled._variable)
    if one.kind == AttrKind.ESCAPED and compiled is not None:
        prepare(compiled.nodelist)
    return name, value, compiled


def _valued(given: list[Given], context: Context) -> dict[str, Any]:
    """Their values by name; what cannot be found is left out."""
    named = {}
    for name, value, compiled in given:
        if compiled is None:
            named[name] = value
        elif isinstance(compiled, PreparedValue):
            try:
                named[name] = compiled.resolve(context)
            except UnprocessableDynamicAttr:
                continue
        else:
            named[name] = compiled.nodelist.render(context)
    return named


@register.tag("cotton")
def component(parser: Parser, token: Token) -> CottonComponentNode:
    node = cotton_component(parser, token)
    if node.only or node.component_name == "component" or ":attrs" in node.attrs:
        return node
    return Component(node.component_name, node.nodelist, node.attrs, node.only, node.active_library)
