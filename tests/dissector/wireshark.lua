-- Wireshark as far as the dissector uses it, to run the dissector in any Lua. It shows nothing, but
-- is strict: offsets, lengths and numbers must be whole, and nothing may be used that is not here.

local added = 0 -- items of trees
local told = {} -- every text in them, and in the Info column

local function strict(object)
    return setmetatable(object, {
        __index = function(_, name)
            error("Wireshark has no " .. tostring(name))
        end,
    })
end

local function whole(number)
    assert(type(number) == "number" and number == math.floor(number), tostring(number))
    assert(not math.type or math.type(number) == "integer", tostring(number))
    return number
end

local function text(words)
    assert(type(words) == "string" and not words:find("\0", 1, true))
end

local function show(words)
    text(words)
    told[#told + 1] = words
end

local function new_item()
    local item = {}
    function item:add(...)
        added = added + 1
        for place = 1, select("#", ...) do
            local value = select(place, ...)
            if type(value) == "string" then
                show(value)
            end
        end
        return new_item()
    end
    item.append_text = function(_, words) show(words) end
    item.set_text = function(_, words) show(words) end
    item.set_generated = function() return item end
    item.add_proto_expert_info = function(_, expert, words)
        assert(expert)
        if words ~= nil then
            show(words)
        end
    end
    return strict(item)
end

local function new_tvb(data)
    local tvb = {
        len = function() return #data end,
        reported_len = function() return #data end,
        raw = function(_, offset, length)
            offset = offset or 0
            return data:sub(offset + 1, length and offset + length or nil)
        end,
        range = function(_, offset, length)
            offset = whole(offset or 0)
            length = whole(length or #data - offset)
            assert(offset >= 0 and length >= 0 and offset + length <= #data, "out of bounds")
            return setmetatable({}, { __call = function() return {} end })
        end,
    }
    return strict(tvb)
end

base = { DEC = 1, UNICODE = 2, NONE = 0 }
frametype = { RESPONSE = 1, REQUEST = 2, RETRANS_PREV = 3, RETRANS_NEXT = 4 }
for value, name in ipairs({
    "PI_PROTOCOL", "PI_NOTE", "PI_REASSEMBLE", "PI_WARN", "PI_MALFORMED", "PI_ERROR",
    "PI_UNDECODED", "PI_RESPONSE_CODE", "PI_SEQUENCE", "MENU_TOOLS_UNSORTED",
    "DESEGMENT_ONE_MORE_SEGMENT",
}) do
    _G[name] = value
end

local function described(name, title)
    text(name)
    text(title)
    return { name }
end

ProtoField = strict({
    uint64 = described, string = described, bytes = described, framenum = described,
    relative_time = described,
})
ProtoExpert = strict({ new = described })
Pref = strict({
    range = function(_, default) return default end,
    bool = function(_, default) return default end,
})

local protos = {}
function Proto(name)
    local proto = { prefs = {}, register_heuristic = function() end }
    protos[name] = proto
    return proto
end

local number = {}
number.__mul = function() return setmetatable({}, number) end
number.__add = number.__mul
UInt64 = strict({
    new = function(value)
        whole(value)
        return setmetatable({}, number)
    end,
})
NSTime = strict({
    new = function(seconds, nanoseconds)
        assert(whole(nanoseconds) < 1000000000 and whole(seconds) >= 0)
        return {}
    end,
})
ByteArray = strict({
    new = function(digits)
        assert(#digits % 2 == 0 and not digits:find("%X"))
        return { tvb = function() return { range = function() return {} end } end }
    end,
})
Dissector = strict({ get = function() error("no such dissector") end })
DissectorTable = strict({
    get = function()
        return strict({
            get_dissector = function() end, add = function() end, remove = function() end,
        })
    end,
})
Field = strict({ new = function() return function() return { value = 7 } end end })

local taps, shown, at_close, asked_for = {}, nil, nil, nil
Listener = strict({
    new = function(_, filter)
        local tap = { filter = filter, remove = function() end }
        taps[#taps + 1] = tap
        return tap
    end,
})
local statistics, menu = {}, {}
function register_stat_cmd_arg(name, action)
    statistics[name] = action
end
function gui_enabled()
    return true
end
function register_menu(name, action, group)
    assert(group)
    menu[name] = action
end
TextWindow = strict({
    new = function()
        return strict({
            set = function(_, words) shown = words end,
            set_atclose = function(_, action) at_close = action end,
        })
    end,
})
function get_filter()
    return "kqq"
end
function retap_packets() end
function apply_filter() end
function set_filter(filter)
    asked_for = filter
end
function new_dialog(_, action)
    action("number 10001")
end

-- Dissect each line as a packet of its own, as a body, and without its end, two times; then open
-- every menu. Returns the number of tree items, the statistics as shown, the filter that was asked
-- for, and all texts that were shown.
return function(lines, shows_secrets)
    protos.kqq.prefs.show_secrets = shows_secrets or false
    for pass = 1, 2 do
        for place, line in ipairs(lines) do
            local raw, sender = line[1], line[2]
            local is_client = sender == "client"
            local function pinfo(frame, can_desegment)
                return {
                    number = frame, visited = pass == 2, rel_ts = place * 0.25, private = {},
                    src_port = is_client and 40000 or 14000, src = is_client and "a" or "b",
                    dst_port = is_client and 14000 or 40000, dst = is_client and "b" or "a",
                    cols = setmetatable({}, { __newindex = function(_, _, words) show(words) end }),
                    can_desegment = can_desegment or 1, match_string = "text/plain",
                }
            end
            if sender ~= "nobody" then -- else it is cut and has no end
                protos.kqq.dissector(new_tvb(raw .. "\r\n"), pinfo(place), new_item())
                protos.kqq_body.dissector(new_tvb(raw), pinfo(place + 100000), new_item())
            end
            protos.kqq.dissector(new_tvb(raw), pinfo(place + 200000, 0), new_item())
        end
    end
    menu["KQQ/Statistics"]()
    for place in ipairs(lines) do
        taps[1].packet({ number = place })
    end
    taps[1].draw()
    taps[1].reset()
    at_close()
    menu["KQQ/Only one number"]()
    statistics["kqq,tree"]("kqq,tree,kqq.uin == 10001")
    assert(taps[2].filter == "kqq.uin == 10001")
    protos.kqq.init()
    protos.kqq.prefs_changed()
    return added, shown, asked_for, table.concat(told, "\n")
end
