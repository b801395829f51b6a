"""From what a tenant says it needs to a locked set of pure Python packages.

`requirements.py` reads the tenant's file here, as data. What it found, names, versions and digests, goes to
`python -m dayfly.resolver`: the one process that asks the network, of the operator's index. It never sees the file.

    read_requirements   requirements.txt or pyproject.toml -> a list of `Wanted`
    Resolver.lock       that list -> a `Lock`, kept: a redeploy never changes a version
    Resolver.packages   a lock -> the files of its packages
"""

from dayfly.resolver.lock import Lock, Locked
from dayfly.resolver.requirements import Wanted, read_requirements
from dayfly.resolver.resolver import Packages, Resolver, ResolverOptions

__all__ = ["Lock", "Locked", "Packages", "Resolver", "ResolverOptions", "Wanted", "read_requirements"]
