"""Templates are made quick once, when they are loaded. What they write stays the same, and so does what they may say.

Whatever depends on nothing but the reader's language (text, translations, icons, addresses without a number) is written
once a language; a value is looked up and escaped without the detours that Django takes for the sake of rare kinds.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from types import BuiltinMethodType, MethodType
from typing import Any

from django.conf import settings
from django.template import Context, Node, NodeList, Template
from django.template.base import FilterExpression, TextNode, Variable, VariableNode, render_value_in_context
from django.template.defaulttags import IfNode, LoadNode, URLNode
from django.template.library import SimpleNode
from django.template.loaders import base, cached
from django.template.smartif import TokenBase
from django.templatetags.i18n import TranslateNode
from django.templatetags.static import StaticNode
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from crm.templatetags.kit import icon

METHODS = (MethodType, BuiltinMethodType)
STAND_IN = 987_654_321  # a number that stands in no route


class _Preparing(base.Loader):
    def get_template(self, template_name: str, skip: Any = None) -> Template:
        template = super().get_template(template_name, skip)
        prepare(template.nodelist)
        return template


class Loader(cached.Loader, _Preparing):
    """Django's loader that keeps templates; it keeps them prepared."""


class Constant(Node):
    """Neighbours that write the same for every reader of a language."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes, self.written = nodes, dict[Any, str]()

    def render_annotated(self, context: Context) -> str:
        key = get_language(), context.autoescape, settings.ROOT_URLCONF
        written = self.written.get(key)
        if written is None:
            written = self.written[key] = "".join(str(node.render_annotated(context)) for node in self.nodes)
        return written

    render = render_annotated


class Named(Node):
    """A translation that is given a name: `{% translate "…" as title %}`."""

    def __init__(self, node: TranslateNode) -> None:
        self.name, node.asvar = node.asvar or "", None
        self.word = Constant([node])

    def render(self, context: Context) -> SafeString:
        context[self.name] = SafeString(self.word.render_annotated(context))
        return SafeString()


class Value(VariableNode):
    """`{{ … }}`: text is escaped at once."""

    def render(self, context: Context) -> str:
        value = self.filter_expression.resolve(context)
        kind = type(value)
        if kind is SafeString:
            return value
        if kind is str:
            return escape(value) if context.autoescape else value
        return render_value_in_context(value, context)


class NumberedUrl(URLNode):
    """`{% url "name" number %}`: routes are searched once a name, not once a number."""

    def render(self, context: Context) -> str:
        number = self.args[0].resolve(context)
        parts = _around(self.view_name.var, settings.ROOT_URLCONF) if type(number) is int else None
        return super().render(context) if parts is None else f"{parts[0]}{number}{parts[1]}"


@cache
def _around(name: str, routes: str) -> tuple[str, str] | None:
    before, found, after = reverse(name, args=[STAND_IN]).partition(str(STAND_IN))
    return (before, after) if found and not {*before, *after} & {"&", "<", ">", '"', "'"} else None


class Lookup(Variable):
    """`customer.city`: what Django's does, with the usual kinds first; all others, and all failures, are left to it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.first, *self.others = self.lookups or ()

    def _resolve_lookup(self, context: Context) -> Any:
        first = self.first
        for known in reversed(context.dicts):
            if first in known:
                current = known[first]
                break
        else:
            return self.django_finds(context)
        try:
            for bit in self.others:
                if callable(current):
                    return self.django_finds(context)
                kind = type(current)
                if kind is dict:
                    current = current[bit]
                elif issubclass(kind, str) and not bit.isdigit() or not hasattr(kind, "__getitem__"):
                    current = getattr(current, bit)
                    if type(current) in METHODS and not _is_special(current):
                        current = current()
                else:
                    return self.django_finds(context)
        except Exception:  # Django knows which of them a page survives
            return self.django_finds(context)
        return self.django_finds(context) if callable(current) else current

    def django_finds(self, context: Context) -> Any:
        return super()._resolve_lookup(context)  # type: ignore[misc]  # private, and unknown to the stubs


def _is_special(method: Any) -> bool:
    return getattr(method, "alters_data", False) or getattr(method, "do_not_call_in_templates", False)


def prepare(nodes: NodeList) -> None:
    """Replace, in place, what can be quicker, in this list of nodes and in those below it."""
    ready: list[Node] = []
    for is_constant, node in ((_is_constant(node), node) for node in nodes):
        if is_constant and ready and isinstance(ready[-1], Constant):
            ready[-1].nodes.append(node)
        elif not isinstance(node, LoadNode):
            ready.append(Constant([node]) if is_constant else _prepared(node))
    nodes[:] = [_plain(node) for node in ready]


def _plain(node: Node) -> Node:
    """Text alone needs no look at the language."""
    if isinstance(node, Constant) and all(isinstance(one, TextNode) for one in node.nodes):
        return TextNode("".join(one.s for one in node.nodes))  # type: ignore[attr-defined]
    return node


def _prepared(node: Node) -> Node:
    for part in vars(node).values():
        _make_quick(part)
    for below in _below(node):
        prepare(below)
    made: Node = node
    if type(node) is VariableNode:
        made = Value(node.filter_expression)
    elif type(node) is TranslateNode and _is_fixed_word(node):
        made = Named(node)
    elif type(node) is URLNode and _is_name(node) and len(node.args) == 1 and not (node.kwargs or node.asvar):
        made = NumberedUrl(node.view_name, node.args, {}, None)
    made.token = node.token
    if hasattr(node, "origin"):
        made.origin = node.origin
    return made


def _below(node: Node) -> Iterator[NodeList]:
    if isinstance(node, IfNode):  # its `nodelist` is a copy
        yield from (nodes for _condition, nodes in node.conditions_nodelists)
    else:
        yield from (found for name in node.child_nodelists if (found := getattr(node, name, None)) is not None)


def _make_quick(part: Any) -> None:
    """Let the expressions within a part of a node look up their values quickly."""
    if isinstance(part, FilterExpression):
        part.var = quick(part.var)
        part.filters = [(function, [(held, quick(one)) for held, one in given]) for function, given in part.filters]
    elif isinstance(part, TokenBase):
        _make_quick([part.value, part.first, part.second])
    elif isinstance(part, dict):
        _make_quick(list(part.values()))
    elif isinstance(part, list | tuple) and not isinstance(part, NodeList):
        for one in part:
            _make_quick(one)


def quick(variable: Any) -> Any:
    return Lookup(str(variable.var)) if type(variable) is Variable and variable.lookups else variable


def _is_constant(node: Node) -> bool:
    if type(node) is TranslateNode:
        return not node.asvar and _is_fixed_word(node)
    if type(node) is URLNode:
        return _is_name(node) and not (node.args or node.kwargs or node.asvar)
    if type(node) is StaticNode:
        return not node.varname and _is_literal([node.path])
    if type(node) is SimpleNode:
        return node.func is icon and not node.target_var and _is_literal([*node.args, *node.kwargs.values()])
    return type(node) is TextNode


def _is_fixed_word(node: TranslateNode) -> bool:
    return not node.noop and _is_literal([node.filter_expression, *filter(None, [node.message_context])])


def _is_name(node: URLNode) -> bool:
    return _is_literal([node.view_name])


def _is_literal(expressions: Iterable[FilterExpression]) -> bool:
    return all(not one.filters and (not one.is_var or one.var.lookups is None) for one in expressions)
