"""a whole program: the game of life"""
# GET /?10
def step(grid):
    h = len(grid)
    w = len(grid[0])
    new = []
    for y in range(h):
        row = []
        for x in range(w):
            n = sum(grid[(y + dy) % h][(x + dx) % w] for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy != 0 or dx != 0)
            row.append(1 if n == 3 or (n == 2 and grid[y][x]) else 0)
        new.append(row)
    return new
def on_client_request(query):
    grid = [[0] * 8 for _ in range(8)]
    for y, x in [(0, 1), (1, 2), (2, 0), (2, 1), (2, 2)]:
        grid[y][x] = 1
    for _ in range(int(query)):
        grid = step(grid)
    return "\n".join("".join("#" if c else "." for c in row) for row in grid)
