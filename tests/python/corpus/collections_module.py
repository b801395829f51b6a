"""collections"""
from collections import Counter, defaultdict, OrderedDict, deque, ChainMap, UserDict
def on_client_request():
    c = Counter("mississippi"); c.subtract("ss")
    d = defaultdict(list); d["a"].append(1)
    o = OrderedDict(a=1, b=2); o.move_to_end("a")
    q = deque([1, 2, 3], maxlen=3); q.append(4); q.rotate(1)
    m = ChainMap({"a": 1}, {"a": 2, "b": 3})
    class U(UserDict):
        def __getitem__(self, k): return super().__getitem__(k) * 2
    return repr([c.most_common(2), Counter(a=1) + Counter(a=2, b=1), dict(d), list(o.items()), q, q.popleft(), m["a"], m["b"], dict(m), U(x=2)["x"], c.total()])

# GET /
