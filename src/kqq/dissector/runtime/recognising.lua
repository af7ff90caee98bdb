-- Recognising: is this the protocol, on whatever port it is?

local LOOKED_AT = 512 -- bytes; a head is shorter than 100

-- Whether the bytes from `place` begin a line: true, false, or nil where there are too few.
local function begins_line(raw, place)
    local stop = raw:find("\n", place, true)
    local text = raw:sub(place, (stop or #raw + 1) - 1)
    local ver = text:find("VER=", 1, true)
    if ver and (ver - 1 <= PREFIX or not text:sub(1, ver - 1):find("=", 1, true)) then
        local rest = text:sub(ver + 4)
        if rest:find("^%s*%d%.%d%s*&") then
            local wanted = rest:match("&(.*)$")
            if wanted:find("CMD=", 1, true) then
                return true
            end
            for _, key in ipairs({ "CON=", "CMD=" }) do
                if not stop and key:sub(1, #wanted) == wanted:sub(1, #key) then
                    return nil
                end
            end
        elseif not stop and #rest < 5 then
            return nil
        end
    end
    local keys = 0
    for _, key in ipairs({ "CMD=", "SEQ=", "UIN=" }) do
        local found = text:find(key, 1, true)
        if found and (found == 1 or text:sub(found - 1, found - 1) == "&") then
            keys = keys + 1
        end
    end
    if keys == 3 then
        return true
    end
    return false
end

-- Whether a stream that begins, or goes on, with `raw` is ours. `place` counts from 1. The capture
-- may start in the middle of a line, so the second line counts as well as the first.
local function is_ours(raw, place)
    raw = raw:sub(place, place + LOOKED_AT - 1)
    if not (raw:find("VER=", 1, true) or raw:find("UIN=", 1, true)) then
        return false
    end
    local first = raw:find("[^\r\n]") or 1
    local begins = begins_line(raw, first)
    if begins ~= false then
        return true
    end
    local stop = raw:find("\n", first, true)
    return stop ~= nil and stop < #raw and begins_line(raw, stop + 1) == true
end

-- Whether a body is a line, or the document that says where the servers are.
local function is_body(raw)
    if is_ours(raw, 1) then
        return true
    end
    local start = "&" .. raw:gsub("^%s+", "")
    for key in pairs(catalogue.documents) do
        if start:find("&" .. key .. "=", 1, true) then
            return true
        end
    end
    return false
end

-- On a port that is set as ours: whether HTTP begins, which the same servers spoke there.
local function is_http(raw)
    return raw:find("^[\r\n]*%u+ [^\n]*HTTP/%d%.%d\r?\n") ~= nil or raw:find("^HTTP/%d%.%d ") ~= nil
end

-- On a port that is set as ours: whether more bytes are wanted before anybody can say.
local function wants_more(raw)
    if #raw < 8 and ("VER=1.4&"):sub(1, #raw) == raw then
        return true
    end
    return #raw < LOOKED_AT
        and (raw:find("^%u+$") ~= nil or raw:find("^%u+ [^\n]*$") ~= nil)
        and not raw:find("^%u?%u?VER ")
end
