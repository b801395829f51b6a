"""fractions"""
from fractions import Fraction
def on_client_request():
    return repr([Fraction(1, 3) + Fraction(1, 6), Fraction("0.125"), Fraction(0.5), Fraction(7, 3).limit_denominator(2), round(Fraction(5, 2)), Fraction(3, 4) ** 2, float(Fraction(1, 8))])

# GET /
