"""mathematics"""
import math
def on_client_request():
    return repr([math.sqrt(2), math.floor(-1.5), math.trunc(-1.5), math.isclose(0.1 + 0.2, 0.3), math.hypot(3, 4), math.log2(8), math.log(100, 10), round(math.sin(1), 12), math.degrees(math.pi), math.fsum([0.1] * 10), math.prod([1, 2, 3]), math.isqrt(99), math.perm(5, 2), math.copysign(1, -0.0), math.modf(2.5), math.frexp(8), math.dist((0, 0), (1, 1)), math.lcm(4, 6), math.ulp(1.0), round(math.gamma(5), 9), round(math.cbrt(27), 12), math.nextafter(1, 2)])

# GET /
