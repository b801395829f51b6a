"""str: texts beyond ASCII, taken whole"""
# GET /gr%C3%BC%C3%9Fe
def on_client_request(path):
    s = "naïve café " + path
    return ", ".join(s.split(" ")) + str("café" in s) + s.replace("é", "e") + chr(233) + str(ord("é")) + str(["é"])
