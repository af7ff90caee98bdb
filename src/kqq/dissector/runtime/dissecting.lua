-- Dissecting: from what TCP, TLS and HTTP give to messages.

local stream_number = Field.new("tcp.stream")
local has_http, http = pcall(Dissector.get, "http-over-tcp")
http = has_http and http or nil

local function ends_of(pinfo)
    return pinfo.src_port .. " " .. tostring(pinfo.src), pinfo.dst_port .. " " .. tostring(pinfo.dst)
end

local function here(pinfo)
    local number = stream_number()
    return stream_of(number and number.value or -1)
end

-- The place of the next line among those of its frame, however often a packet is dissected.
local function next_place(pinfo)
    local place = tonumber(pinfo.private["kqq_line"] or 0) + 1
    pinfo.private["kqq_line"] = tostring(place)
    return place
end

local function one_message(tvb, offset, raw, stream, pinfo, tree, over)
    local from, to = ends_of(pinfo)
    local message = read_line(raw, stream, from, to)
    local place = next_place(pinfo)
    local record = record_of(message, stream, pinfo, place)
    local words = show_line(tree, tvb, offset, raw, message, record, pinfo, over)
    tell(pinfo, words, place)
end

-- The rest of a segment, which has no line end: a line that goes on in the next segment, or one
-- whose end the capture does not have. Returns whether more was asked for.
local function unfinished(tvb, offset, raw, stream, pinfo, tree)
    local is_whole = tvb:len() == tvb:reported_len()
    if #raw - offset > LINE_LIMIT then
        local item = tree:add(kqq, tvb:range(offset))
        mark(item, "too_long", "More than " .. LINE_LIMIT .. " bytes without a line end")
        tell(pinfo, "too long for a line", next_place(pinfo))
        return false
    end
    if is_whole and pinfo.can_desegment > 0 then
        pinfo.desegment_offset = offset
        pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
        return true
    end
    local rest = raw:sub(offset + 1)
    if kqq.prefs.show_secrets then
        rest = unescape(rest)
    else
        rest = hide_unfinished(unescape(hide_unfinished(rest)))
    end
    local item = tree:add(kqq, tvb:range(offset))
    item:append_text(", unfinished: " .. short(shown(rest), INFO_MOST))
    mark(item, "no_end")
    tell(pinfo, "unfinished line", next_place(pinfo))
    return false
end

local function show_lines(tvb, pinfo, tree, stream)
    local raw = tvb:raw()
    local offset = 0
    pinfo.cols.protocol = "KQQ"
    while offset < #raw do
        local stop = raw:find("\n", offset + 1, true)
        if not stop then
            unfinished(tvb, offset, raw, stream, pinfo, tree)
            break
        end
        local text = raw:sub(offset + 1, stop)
        if is_noise(text) then
            show_noise(tree, tvb, offset, #text)
        else
            one_message(tvb, offset, text, stream, pinfo, tree, "tcp")
        end
        offset = stop
    end
    return tvb:len()
end

-- HTTP on our port is handed over at once: the port of the client may be one of another protocol,
-- which would be asked next.
local function show_http(tvb, pinfo, tree)
    local can = pinfo.can_desegment
    if can > 0 then
        pinfo.can_desegment = can + 1 -- each call takes one away, and ours stands between
    end
    pcall(http.call, http, tvb, pinfo, tree) -- Wireshark itself says what is wrong with it
    pinfo.can_desegment = can
    return tvb:len()
end

-- On a port that is set as ours, and in a connection that was recognised.
function kqq.dissector(tvb, pinfo, tree)
    if tvb:len() == 0 then
        return 0
    end
    local stream = here(pinfo)
    if stream.is_http then
        return show_http(tvb, pinfo, tree)
    end
    if not stream.is_ours then
        local start = tvb:raw(0, math.min(tvb:len(), LOOKED_AT))
        if wants_more(start) and pinfo.can_desegment > 0 then
            pinfo.desegment_offset = 0
            pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
            return tvb:len()
        end
        if http and is_http(start) then
            stream.is_http = true
            return show_http(tvb, pinfo, tree)
        end
        if not is_ours(start, 1) then
            return 0 -- another protocol; Wireshark asks on
        end
        stream.is_ours = true
    end
    return show_lines(tvb, pinfo, tree, stream)
end

local function looks_ours(tvb)
    local length = tvb:len()
    return length >= 4 and is_ours(tvb:raw(0, math.min(length, LOOKED_AT)), 1)
end

local function recognised(tvb, pinfo, tree)
    if not looks_ours(tvb) then
        return false
    end
    local stream = here(pinfo)
    stream.is_ours = true
    pinfo.conversation = kqq
    show_lines(tvb, pinfo, tree, stream)
    return true
end

-- In TLS the connection stays that of TLS, which asks anew for each record.
local function recognised_in_tls(tvb, pinfo, tree)
    local stream = here(pinfo)
    if not stream.is_ours and not looks_ours(tvb) then
        return false
    end
    stream.is_ours = true
    show_lines(tvb, pinfo, tree, stream)
    return true
end

-- A body is one line, whatever stands in it, with or without a line end.
local function show_body(tvb, pinfo, tree)
    local length = tvb:len()
    local is_likely = length > 0 and length <= LINE_LIMIT + 2
    if not is_likely or not is_body(tvb:raw(0, math.min(length, LOOKED_AT))) then
        return false
    end
    one_message(tvb, 0, tvb:raw(), here(pinfo), pinfo, tree, "http")
    return true
end

kqq:register_heuristic("tcp", recognised)
kqq:register_heuristic("tls", recognised_in_tls)
kqq:register_heuristic("http", show_body)

-- The bodies of most clients say that they are text or a form, which have dissectors of their own.
-- Ours comes before these, and hands over what is not ours.
local kqq_body = Proto("kqq_body", catalogue.title .. " (HTTP body)")
local others = {}

function kqq_body.dissector(tvb, pinfo, tree)
    if show_body(tvb, pinfo, tree) then
        return tvb:len()
    end
    local other = others[pinfo.match_string] or others["text/plain"]
    return other and other:call(tvb, pinfo, tree) or 0
end

do
    local media_types = DissectorTable.get("media_type")
    for _, name in ipairs({ "text/plain", "text/html", "application/x-www-form-urlencoded" }) do
        others[name] = media_types:get_dissector(name)
        media_types:add(name, kqq_body)
    end
end

local port_table, ports_now = DissectorTable.get("tcp.port"), nil

local function use_ports()
    if kqq.prefs.port == ports_now then
        return
    end
    if ports_now and ports_now ~= "" then
        port_table:remove(ports_now, kqq)
    end
    ports_now = kqq.prefs.port
    if ports_now ~= "" then
        port_table:add(ports_now, kqq)
    end
end

function kqq.prefs_changed()
    use_ports()
end

function kqq.init()
    forget_everything()
end

use_ports()
