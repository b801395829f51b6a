"""a whole program: building strings"""
# GET /?hello
def on_client_request(query):
    s = query
    out = []
    out.append(s[0].upper() + s[1:])
    out.append("".join(reversed(s)))
    out.append("-".join(s))
    out.append("".join(sorted(s)))
    out.append(str([c for c in s if c in "aeiou"]))
    out.append(str(len(set(s))))
    out.append("%s and %s" % (s, s * 2))
    vowels = 0
    for c in s:
        if c == "e" or c == "o":
            vowels += 1
    out.append(str(vowels))
    out.append(str({c: s.count(c) for c in s}))
    out.append(str(s.split("l")))
    out.append("abc" if s > "abc" else "def")
    out.append(str("x" * 0 == ""))
    return "|".join(out)
