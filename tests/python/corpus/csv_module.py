"""tables of commas"""
import csv, io
def on_client_request():
    rows = list(csv.reader(io.StringIO('a,"b,c",d\n1,"q""q",\n')))
    out = io.StringIO()
    w = csv.DictWriter(out, ["x", "y"], lineterminator="\n"); w.writeheader(); w.writerow({"x": "1,2", "y": 'q"'})
    return repr([rows, out.getvalue(), list(csv.DictReader(["h,i", "1,2"])), list(csv.reader(["a;b"], delimiter=";")), csv.Sniffer().sniff("a;b\nc;d").delimiter])

# GET /
