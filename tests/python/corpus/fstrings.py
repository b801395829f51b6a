"""f-strings"""
def on_client_request():
    x, width = 3.14159, 10
    return f"{x=} {x:.{2}f} {'a' 'b'!r:>{width}} {[i for i in range(3)]} {'nested ' + f'{x:.0f}'} {x!s:.4} {{literal}}"

# GET /
