"""enumerations"""
import enum
class C(enum.Enum):
    RED = 1
    GREEN = enum.auto()
    CRIMSON = 1
class F(enum.Flag):
    R = 1; W = 2; X = 4
class I(enum.IntEnum):
    A = 10
class S(enum.StrEnum):
    ON = enum.auto()
def on_client_request():
    return repr([list(C), C(2), C["RED"], C.CRIMSON is C.RED, C.RED.name, F.R | F.X, F.R in F(3), I.A + 1, S.ON, f"{S.ON} {I.A}", C.RED == 1, [m for m in C.__members__]])

# GET /
