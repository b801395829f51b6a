"""heaps with the largest first (3.14)"""
import heapq
def on_client_request():
    h = [1, 5, 3]; heapq.heapify_max(h)
    return repr([heapq.heappop_max(h) for _ in range(3)])

# expect: [5, 3, 1]
# GET /
