"""statistics"""
import statistics as s
def on_client_request():
    d = [1, 2, 2, 3, 4.5]
    return repr([s.mean(d), s.median(d), s.mode(d), round(s.stdev(d), 10), round(s.pvariance(d), 10), s.quantiles(range(10), n=4), s.multimode("aabb"), round(s.correlation([1, 2, 3], [1, 2, 4]), 10), s.fmean([1, 2]), s.linear_regression([1, 2, 3], [2, 4, 6])])

# GET /
