"""a seeded generator gives what it always gives"""
import random
def on_client_request():
    r = random.Random(42)
    out = [r.random(), r.randint(1, 100), r.choice("abc"), r.sample(range(50), 5), r.gauss(0, 1), r.getrandbits(70), r.uniform(1, 2), r.choices("ab", [1, 3], k=4), r.randbytes(3)]
    x = list(range(5)); r.shuffle(x)
    random.seed(7)
    a = random.random(); random.seed(7)
    return repr(out + [x, a == random.random(), round(a, 12)])

# GET /
