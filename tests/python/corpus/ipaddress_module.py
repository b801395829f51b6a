"""addresses of networks"""
import ipaddress as ip
def on_client_request():
    n = ip.ip_network("10.0.0.0/29")
    return repr([list(map(str, n.hosts()))[:2], ip.ip_address("10.0.0.3") in n, n.num_addresses, ip.ip_address("::1").is_loopback, str(ip.ip_address("2001:db8::1").exploded), ip.ip_network("192.168.1.0/24").supernet()])

# GET /
