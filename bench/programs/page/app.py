"""A page from a template that was compiled before the first request."""

from jinja2 import Environment

TEMPLATE = Environment(autoescape=True).from_string(
    """<!doctype html>
<title>{{ title }}</title>
<ul>
{% for item in items %}
  <li class="{{ 'even' if loop.index is even else 'odd' }}">{{ item.name }}: {{ '%.2f' % item.price }}</li>
{% endfor %}
</ul>
{% if items | length > 5 %}<p>That is all.</p>{% endif %}
"""
)
ITEMS = [{"name": f"item <{n}>", "price": n * 1.25} for n in range(12)]


def on_client_request(path):
    return "text/html; charset=utf-8", TEMPLATE.render(title=path, items=ITEMS)
