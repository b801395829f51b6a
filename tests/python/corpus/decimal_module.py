"""decimal arithmetic"""
from decimal import Decimal, getcontext, localcontext, ROUND_HALF_UP, InvalidOperation
def on_client_request():
    out = [Decimal("0.1") + Decimal("0.2"), Decimal(1) / 3, Decimal("2.675").quantize(Decimal("0.01"), ROUND_HALF_UP), Decimal("1e-7"), Decimal(2).sqrt()]
    with localcontext() as c:
        c.prec = 5
        out.append(Decimal(1) / 7)
    try: Decimal("x")
    except InvalidOperation as e: out.append("invalid")
    return repr(out) + f"{Decimal('1234.5'):,.2f}"

# GET /
