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

dofile(debug.getinfo(1, "S").source:sub(2):match(".*/") .. "summary.lua")
