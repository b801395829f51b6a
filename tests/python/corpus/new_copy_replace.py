"""copy.replace (3.13)"""
import copy, datetime
from dataclasses import dataclass
@dataclass
class P:
    x: int = 1
def on_client_request():
    return repr([copy.replace(P(), x=2), copy.replace(datetime.date(2024, 1, 2), day=3)])

# expect: [P(x=2), datetime.date(2024, 1, 3)]
# GET /
