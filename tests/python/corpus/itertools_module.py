"""itertools"""
import itertools as it
def on_client_request():
    return repr([list(it.chain([1], "ab")), list(it.islice(it.count(5, 2), 3)), list(it.accumulate([1, 2, 3])), list(it.product("ab", [0, 1])), list(it.permutations("abc", 2))[:4], list(it.combinations(range(4), 2)), [(k, list(g)) for k, g in it.groupby("aabbb")], list(it.zip_longest("ab", "c", fillvalue="-")), list(it.takewhile(lambda x: x < 3, it.count())), list(it.starmap(pow, [(2, 3)])), [list(t) for t in it.tee([1, 2])], list(it.pairwise("abc")), list(it.compress("abc", [1, 0, 1])), list(it.dropwhile(str.isalpha, "ab1c")), list(it.filterfalse(None, [0, 1])), list(it.combinations_with_replacement("ab", 2)), list(it.repeat(1, 2)), next(it.cycle("x"))])

# GET /
