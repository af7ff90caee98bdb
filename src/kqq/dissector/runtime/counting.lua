-- Counting: the statistics tree. `tshark -q -z kqq,tree[,FILTER]` prints it, and Wireshark shows it
-- from its menu. Lua cannot make a real statistics tree, so this is a text.

local function new_counts()
    return { messages = 0, first = nil, last = nil, kinds = {}, answers = {}, people = {}, odd = 0,
        refused = {}, again = 0, requests = {} }
end

local function count(counts, key, by)
    counts[key] = (counts[key] or 0) + (by or 1)
end

-- The start of a command or a number as it may be shown; any text can stand in their place.
local function named(key, value)
    if not kqq.prefs.show_secrets then
        value = hide_broken(key .. "=" .. value):sub(#key + 2)
    end
    return short(shown(value), 30)
end

local function add_record(counts, record)
    counts.messages = counts.messages + 1
    counts.first = math.min(counts.first or record.time, record.time)
    counts.last = math.max(counts.last or record.time, record.time)
    local kind = counts.kinds[record.kind] or { total = 0, names = {} }
    counts.kinds[record.kind] = kind
    kind.total = kind.total + 1
    local name = record.name ~= "" and named("CMD", record.name) or "(no command)"
    count(kind.names, record.kind == "document" and "(document)" or name)
    if record.uin ~= "" then
        local person = counts.people[record.uin] or { client = 0, server = 0 }
        counts.people[record.uin] = person
        count(person, record.sender)
    end
    if record.is_odd then
        counts.odd = counts.odd + 1
    end
    if record.before then
        counts.again = counts.again + 1
    end
    if record.kind == "request" then
        counts.requests[#counts.requests + 1] = record -- whose answer may still come
    end
    if record.res then
        count(counts.refused, "RES=" .. record.res)
    end
    if record.request then
        local key = named("CMD", record.request.name)
        local times = counts.answers[key] or { count = 0, total = 0 }
        counts.answers[key] = times
        local time = math.max(record.time - record.request.time, 0)
        times.count = times.count + 1
        times.total = times.total + time
        times.least = math.min(times.least or time, time)
        times.most = math.max(times.most or time, time)
    end
end

local function sorted(counts, amount)
    local keys = {}
    for key in pairs(counts) do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(one, other)
        local left, right = amount(counts[one]), amount(counts[other])
        if left ~= right then
            return left > right
        end
        return one < other
    end)
    return keys
end

local function unanswered(counts)
    local open = 0
    for _, request in ipairs(counts.requests) do
        open = open + ((request.reply or request.after) and 0 or 1)
    end
    return open
end

local function itself(value)
    return value
end

local PEOPLE_MOST = 50

local function as_text(counts)
    local lines = {}
    local function row(indent, words, ...)
        local line = ("%-37s"):format((" "):rep(indent) .. words) .. table.concat({ ... })
        lines[#lines + 1] = (line:gsub(" +$", ""))
    end
    local function number(value)
        return ("%10d"):format(value)
    end
    local function share(value)
        local all = math.max(counts.messages, 1)
        return ("%10d%9.1f %%"):format(value, value / all * 100)
    end
    local function milliseconds(value)
        return ("%11.1f"):format(value * 1000)
    end
    local title = "KQQ statistics"
    lines[#lines + 1] = title
    lines[#lines + 1] = ("="):rep(80)
    row(0, "", "     count     share")
    row(0, "Messages", number(counts.messages))
    for _, kind in ipairs({ "request", "reply", "push", "document", "unreadable" }) do
        local found = counts.kinds[kind]
        if found then
            row(1, kind, share(found.total))
            for _, name in ipairs(sorted(found.names, itself)) do
                row(3, name, share(found.names[name]))
            end
        end
    end
    row(0, "Something odd about it", share(counts.odd))
    row(0, "Requests sent again", share(counts.again))
    row(0, "Requests without an answer", share(unanswered(counts)))
    if counts.messages > 0 then
        local seconds = counts.last - counts.first
        local rate = seconds > 0 and ("%10.1f a second"):format(counts.messages / seconds) or ""
        row(0, ("In %.1f seconds"):format(seconds), rate)
    end
    if next(counts.refused) then
        row(0, "Refusals")
        for _, code in ipairs(sorted(counts.refused, itself)) do
            row(1, code, share(counts.refused[code]))
        end
    end
    if next(counts.answers) then
        lines[#lines + 1] = ""
        row(0, "Response times (ms)", "     count    average      least       most")
        local function how_many(times)
            return times.count
        end
        for _, name in ipairs(sorted(counts.answers, how_many)) do
            local times = counts.answers[name]
            row(1, name, number(times.count), milliseconds(times.total / times.count),
                milliseconds(times.least), milliseconds(times.most))
        end
    end
    if next(counts.people) then
        lines[#lines + 1] = ""
        row(0, "People", "    client    server")
        local function lines_of(person)
            return person.client + person.server
        end
        local people = sorted(counts.people, lines_of)
        for place, uin in ipairs(people) do
            if place > PEOPLE_MOST then
                row(1, "and " .. #people - PEOPLE_MOST .. " more")
                break
            end
            local person = counts.people[uin]
            row(1, named("UIN", uin), number(person.client), number(person.server))
        end
    end
    lines[#lines + 1] = ("="):rep(80)
    return table.concat(lines, "\n") .. "\n"
end

-- Listen to the packets that `filter` lets through and give the text to `write` when asked.
local function listen(filter, write)
    local tap = Listener.new("frame", filter)
    local counts = new_counts()
    function tap.packet(pinfo)
        for _, record in ipairs(frames[pinfo.number] or {}) do
            add_record(counts, record)
        end
    end
    function tap.draw()
        write(as_text(counts))
    end
    function tap.reset()
        counts = new_counts()
    end
    return tap
end

register_stat_cmd_arg("kqq,tree", function(argument)
    local filter = (argument or ""):match("^kqq,tree,(.+)$")
    listen(filter, function(text)
        io.write(text)
    end)
end)

if gui_enabled() then
    register_menu("KQQ/Statistics", function()
        local window = TextWindow.new("KQQ statistics")
        local filter = get_filter and get_filter() or ""
        local tap = listen(filter ~= "" and filter or nil, function(text)
            window:set(text)
        end)
        window:set_atclose(function()
            tap:remove()
        end)
        retap_packets()
    end, MENU_TOOLS_UNSORTED)
    register_menu("KQQ/Only one number", function()
        new_dialog("Show what one number says and hears", function(uin)
            set_filter("kqq.uin == " .. (uin:match("%d+") or "0"))
            apply_filter()
        end, "Number")
    end, MENU_TOOLS_UNSORTED)
end
