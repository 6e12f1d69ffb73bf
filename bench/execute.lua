-- POST /api/v1/wasm/execute; MODULES > 1 spreads the calls over bench-0 … bench-(MODULES-1), else calls MODULE.
local modules = tonumber(os.getenv("MODULES") or "1")
local requests = {}
local serial = 0

local function body(name)
  return '{"module":"' .. name .. '","function":"add","params":[2,3]}'
end

init = function(args)
  local headers = { ["Content-Type"] = "application/json" }
  if modules == 1 then
    requests[1] = wrk.format("POST", "/api/v1/wasm/execute", headers, body(os.getenv("MODULE") or "bench-add"))
  else
    for i = 0, modules - 1 do
      requests[i + 1] = wrk.format("POST", "/api/v1/wasm/execute", headers, body("bench-" .. i))
    end
  end
end

request = function()
  serial = serial % #requests + 1
  return requests[serial]
end


done = function(summary, latency, _)
  io.write(string.format(
    'JSON {"requests":%d,"seconds":%f,"p50Us":%d,"p99Us":%d,"failures":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout))
end
