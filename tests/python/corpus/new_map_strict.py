"""map with strict, Fraction.from_number, float.from_number (3.14)"""
from fractions import Fraction
def on_client_request():
    try: list(map(lambda a, b: a, [1], [1, 2], strict=True))
    except ValueError as e: out = "strict"
    return repr([out, Fraction.from_number(0.5), float.from_number(3)])

# expect: ['strict', Fraction(1, 2), 3.0]
# GET /
