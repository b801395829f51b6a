"""a whole program: a way through a graph"""
# GET /?a,e
GRAPH = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["e"], "e": []}
def path(start, goal):
    queue = [[start]]
    seen = {start}
    while queue:
        route = queue.pop(0)
        if route[-1] == goal:
            return route
        for n in GRAPH.get(route[-1], []):
            if n not in seen:
                seen.add(n)
                queue.append(route + [n])
    return []
def on_client_request(query):
    start, goal = query.split(",")
    return " -> ".join(path(start, goal))
