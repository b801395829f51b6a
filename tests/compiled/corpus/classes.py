"""refused: classes"""
# GET /?x
class Point:
    def __init__(self, x):
        self.x = x

def on_client_request(query):
    return str(Point(1).x)
