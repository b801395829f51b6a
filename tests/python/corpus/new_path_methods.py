"""pathlib walks, copies and moves (3.12, 3.14)"""
import pathlib, tempfile
def on_client_request():
    d = pathlib.Path(tempfile.mkdtemp()); (d / "a").mkdir(); (d / "a" / "f").write_text("x")
    (d / "a").copy(d / "b"); (d / "b" / "f").move(d / "g")
    return repr([[(p.name if p != d else ".", sorted(a), sorted(b)) for p, a, b in sorted(d.walk())], (d / "g").read_text(), (d / "g").info.is_file()])

# expect: [[('.', ['a', 'b'], ['g']), ('a', [], ['f']), ('b', [], [])], 'x', True]
# GET /
