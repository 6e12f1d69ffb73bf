-- What bench/run reads: one line of JSON at the end.
done = function(summary, latency, _)
  io.write(string.format(
    'JSON {"requests":%d,"seconds":%f,"p50Us":%d,"p99Us":%d,"failures":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout))
end
