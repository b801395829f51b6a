"""operator"""
import operator as o
def on_client_request():
    return repr([o.itemgetter(1, 0)("ab"), o.attrgetter("real", "imag")(1j), o.methodcaller("upper")("x"), o.add(1, 2), o.contains([1], 1), o.concat([1], [2]), o.index(True), sorted([(2, "a"), (1, "b")], key=o.itemgetter(1)), o.truth([]), o.length_hint([1, 2])])

# GET /
