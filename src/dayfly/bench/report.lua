-- What cannot be said on the command line of wrk: content, and a host other than that of the address.
local body, host = os.getenv("DAYFLY_WRK_BODY") or "", os.getenv("DAYFLY_WRK_HOST") or ""
if body ~= "" then
    wrk.method, wrk.body = "POST", body
    wrk.headers["Content-Type"] = "application/json"
end
if host ~= "" then
    wrk.headers["Host"] = host
end

-- wrk calls this when it is done: the same figures as its own report, in one line that a program can read.
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"duration_us":%d,"bytes":%d,"mean_us":%f,"p50_us":%d,"p75_us":%d,"p90_us":%d,"p99_us":%d,'
            .. '"max_us":%d,"failed":%d,"broken":%d}\n',
        summary.requests, summary.duration, summary.bytes, latency.mean, latency:percentile(50), latency:percentile(75),
        latency:percentile(90), latency:percentile(99), latency.max, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
