"""heaps and bisection"""
import heapq, bisect
def on_client_request():
    h = [5, 1, 4]; heapq.heapify(h); heapq.heappush(h, 0)
    a = [1, 3, 5]; bisect.insort(a, 4)
    return repr([[heapq.heappop(h) for _ in range(4)], heapq.nlargest(2, [1, 9, 5]), a, bisect.bisect_left(a, 3), bisect.bisect(a, 3), list(heapq.merge([1, 4], [2, 3])), heapq.nsmallest(1, "cab", key=ord)])

# GET /
