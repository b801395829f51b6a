"""replies: a closure giving (content_type, body)"""
# GET /
page = "<p>hello</p>"

def on_client_request():
    def answer():
        return "text/html", page
    return answer
