"""The Mandelbrot set as text: /?width=80&height=24&steps=100"""

SHADES = " .:-=+*#%@"


def number(query, name, default, largest):
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == name and value.isdigit():
            return min(int(value), largest)
    return default


def steps_to_escape(x, y, most):
    zx, zy, n = 0.0, 0.0, 0
    while n < most and zx * zx + zy * zy < 4.0:
        zx, zy = zx * zx - zy * zy + x, 2.0 * zx * zy + y
        n += 1
    return n


def row(y, width, most):
    line = ""
    for column in range(width):
        n = steps_to_escape(3.0 * column / width - 2.25, y, most)
        line += SHADES[n * (len(SHADES) - 1) // most]
    return line


def on_client_request(query):
    width = number(query, "width", 80, 200)
    height = number(query, "height", 24, 100)
    most = number(query, "steps", 100, 1000)
    rows = [row(2.4 * line / height - 1.2, width, most) for line in range(height)]
    return "\n".join(rows) + "\n"
