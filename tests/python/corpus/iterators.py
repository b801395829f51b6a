"""classes that can be walked"""
class Countdown:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if self.n == 0:
            raise StopIteration
        self.n -= 1
        return self.n
class Old:
    def __getitem__(self, i):
        if i > 2: raise IndexError
        return i * 10
def on_client_request():
    return repr([list(Countdown(3)), list(Old()), list(iter([1, 2, 3, 0, 9].pop, 3)), 20 in Old(), list(zip(Countdown(2), "ab")), dict(enumerate("ab", 5))])

# GET /
