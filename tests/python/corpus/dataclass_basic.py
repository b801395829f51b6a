"""data classes"""
from dataclasses import dataclass, field, asdict, astuple, replace, fields, FrozenInstanceError
@dataclass(order=True)
class P:
    x: int
    y: int = 0
    tags: list = field(default_factory=list, compare=False)
    def __post_init__(self): self.tags.append(self.x)
@dataclass(frozen=True, slots=True, kw_only=True)
class F:
    a: str = "z"
def on_client_request():
    out = [P(1), P(1) < P(2), asdict(P(3)), astuple(P(1, 2)), replace(P(1), y=9), [f.name for f in fields(P)], F(a="q"), hash(F()) == hash(F())]
    try: F().a = 1
    except FrozenInstanceError as e: out.append(str(e))
    return repr(out)

# GET /
