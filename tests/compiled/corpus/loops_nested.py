"""loops: while with else, break and continue in nested ones"""
# GET /?17
def on_client_request(query):
    n = int(query)
    i = 2
    while i * i <= n:
        if n % i == 0:
            r = "composite"
            break
        i += 1
    else:
        r = "prime"
    total = 0
    for a in range(5):
        for b in range(5):
            if b > a:
                break
            if (a + b) % 2:
                continue
            total += a * b
    return r + str(total) + str(-7 // 2) + str(7 % -3) + str(round(2.5)) + str(abs(-3)) + str(max(1, 2.5)) + str(min([3, 1]))
