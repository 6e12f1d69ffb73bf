-- A plain GET of the URL's own path.
dofile(debug.getinfo(1, "S").source:sub(2):match(".*/") .. "summary.lua")
