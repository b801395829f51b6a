"""a database in memory"""
import sqlite3
def on_client_request(query):
    c = sqlite3.connect(":memory:"); c.row_factory = sqlite3.Row
    c.execute("create table t (id integer primary key, name text, v real)")
    c.executemany("insert into t (name, v) values (?, ?)", [("a", 1.5), ("b", None), (query, 3)])
    with c: c.execute("update t set v = 0 where name = :n", {"n": "b"})
    out = [tuple(r) for r in c.execute("select id, upper(name) u, v from t order by id desc")]
    out.append(c.execute("select sum(v), count(*) from t where name glob '[ab]'").fetchone()[0])
    try: c.execute("insert into t (id) values (1)")
    except sqlite3.IntegrityError as e: out.append(str(e))
    c.create_function("dbl", 1, lambda x: x * 2)
    return repr(out + [c.execute("select dbl(21)").fetchone()[0]])

# GET /?x'y
