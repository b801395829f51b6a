"""A new tenant directory, from a template that works."""

import os
import re
from pathlib import Path
from typing import get_args

from dayfly import durable
from dayfly.choices import Template
from dayfly.config import NAME, Tenant
from dayfly.errors import ConfigError, SystemRefused

TEMPLATES: tuple[Template, ...] = get_args(Template)

_ROOT = Path(__file__).with_name("templates")
_TITLE = "# NAME\n"


def scaffold(directory: Path, template: Template) -> Tenant:
    """Fill a directory that is new or empty, and return the tenant that it is.

    Raises ConfigError if there is something in it, or if its name cannot be a tenant's; SystemRefused.
    """
    name = directory.resolve().name
    if not re.fullmatch(NAME, name):
        raise ConfigError(f"`{name}` cannot be a tenant's name; allowed: {Tenant.model_fields['name'].description}")
    try:
        if directory.is_symlink() or directory.exists():
            _refuse_content(directory)
        directory.mkdir(parents=True, exist_ok=True)
        for file, content in _files(template).items():
            path = directory / file
            path.parent.mkdir(exist_ok=True)
            # Never over what somebody else has put there meanwhile.
            with path.open("xb") as out:
                out.write(content.replace(_TITLE.encode(), f"# {name}\n".encode()))
    except FileExistsError as error:
        raise ConfigError(f"`{error.filename}` is there already; nothing is overwritten") from None
    except OSError as error:
        raise SystemRefused(durable.refusal(f"directory `{directory}`", error, "as DIR")) from None
    return Tenant.load(directory)


def _refuse_content(directory: Path) -> None:
    if not directory.is_dir():
        raise ConfigError(f"`{directory}` is there already, and no directory; choose another name")
    if found := sorted(os.listdir(directory)):  # noqa: PTH208 - its errors name the directory
        raise ConfigError(f"`{directory}` is not empty: there is `{found[0]}` in it; choose another name")


def _files(template: Template) -> dict[str, bytes]:
    root = _ROOT / template
    files = [file for file in sorted(root.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}
