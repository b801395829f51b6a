"""What applications put off until their first request, done while they are frozen: here every request is the first.

Templates are compiled and tables of routes sorted, as the application itself would do it, with the objects that it
has made. What goes wrong here goes wrong again where the application does it, and is told there.
"""

import contextlib
import gc
import sys
from pathlib import Path
from typing import Any

TEMPLATES_MAX = 400
"""Of one environment: as many as Jinja keeps, and more than are compiled within the time that a start-up may take."""

BOTTLE_SUFFIXES = (".tpl", ".stpl", ".html", ".thtml")


def spare() -> None:
    """Do it for every application and every environment of templates that there is."""
    # In this order: an application of Flask makes its environment when it is asked for it.
    for module, kind, do in [("flask", "Flask", flask_application), ("jinja2", "Environment", jinja_templates)]:
        for item in instances(module, kind):
            with contextlib.suppress(Exception):
                do(item)
    if "bottle" in sys.modules:
        with contextlib.suppress(Exception):
            bottle_templates(sys.modules["bottle"])


def instances(module: str, kind: str) -> list[Any]:
    """Find the objects of a class, if its module is there."""
    wanted = getattr(sys.modules.get(module), kind, None)
    if not isinstance(wanted, type):
        return []
    # By what they are, not by what they say they are: a proxy says it by doing what it stands for.
    return [item for item in gc.get_objects() if issubclass(type(item), wanted)]


def flask_application(app: Any) -> None:  # noqa: ANN401 - a class of Flask
    """Make its environment of templates, and sort its routes."""
    _ = app.jinja_env
    app.url_map.update()


def jinja_templates(environment: Any) -> None:  # noqa: ANN401 - a class of Jinja
    """Compile all templates that are found by name."""
    if environment.loader is None or environment.overlayed:
        return
    for name in environment.list_templates()[:TEMPLATES_MAX]:
        with contextlib.suppress(Exception):
            environment.get_template(name)


def bottle_templates(bottle: Any) -> None:  # noqa: ANN401 - the module
    """Compile what `template` finds by name, where it looks for it; `./` is where the program stands."""
    places = [Path(place) for place in bottle.TEMPLATE_PATH]
    files = [file for place in places if place.is_dir() for file in sorted(place.iterdir())]
    for file in [file for file in files if file.suffix in BOTTLE_SUFFIXES][:TEMPLATES_MAX]:
        for name in (file.stem, file.name):
            key = (id(bottle.TEMPLATE_PATH), name)
            if key not in bottle.TEMPLATES:
                with contextlib.suppress(Exception):
                    made = bottle.SimpleTemplate(name=name, lookup=bottle.TEMPLATE_PATH)
                    _ = made.co
                    bottle.TEMPLATES[key] = made
