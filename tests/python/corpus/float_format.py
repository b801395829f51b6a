"""formatting floats"""
def on_client_request():
    x = 1234.5678
    return f"{x:.2f} {x:10.1f}| {x:<10.0f}| {x:e} {x:g} {x:,.3f} {0.25:%} {x:+.1f} {1e100:.3g} {x:010.2f}"

# GET /
