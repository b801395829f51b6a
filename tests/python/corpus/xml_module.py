"""XML"""
import xml.etree.ElementTree as ET
from xml.dom import minidom
import xml.sax.saxutils as su
def on_client_request():
    r = ET.fromstring("<r a='1'><x>t<y/>tail</x><x n='2'>é</x></r>")
    e = ET.SubElement(r, "new", k="v"); e.text = "<&>"
    out = [r.get("a"), [x.text for x in r.iter("x")], r.find("x/y").tail, r.findtext("x[@n='2']"), ET.tostring(r, encoding="unicode"), minidom.parseString("<a><b/></a>").documentElement.firstChild.tagName, su.escape("<")]
    try: ET.fromstring("<a>")
    except ET.ParseError as x: out.append(x.position)
    return repr(out)

# GET /
