"""complex numbers"""
import cmath
def on_client_request():
    z = 3 + 4j
    return f"{abs(z)} {z * 1j} {z.conjugate()} {z ** 2} {cmath.sqrt(-1)} {complex('1-2j')!r}"

# GET /
