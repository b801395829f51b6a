"""list of lists"""
# GET /?3
def on_client_request(query):
    n = int(query)
    grid = [[0] * n for i in range(n)]
    for i in range(n):
        for j in range(n):
            grid[i][j] = i * n + j
    grid[1].append(99)
    grid[2][0] += 1000
    flat = [x for row in grid for x in row if x % 2 == 0]
    return str(grid) + str(flat) + str(max([max(row) for row in grid]))
