"""Words that an option may be. Apart from what they decide about, so that the command line knows them at no cost."""

from typing import Literal

Protection = Literal["auto", "userfault", "mprotect"]
"""How first writes to a page are noticed; `auto` takes userfaultfd where the kernel allows it."""

Template = Literal["hello", "api", "flask", "compiled"]
"""What a new tenant directory can begin as: directories of `dayfly/templates`."""
