"""comprehensions run in their function (3.12)"""
def on_client_request():
    a = 1
    return repr([sorted(k for k in d if k != "d") for d in [locals()]][0])

# expect: ['a']
# GET /
