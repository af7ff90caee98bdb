-- Linking: which reply answers which request, who is the server, what was said before.
-- Wireshark dissects a packet more than once; what the first time found is kept by frame.

local WAITING_MOST = 256 -- requests without answer that a connection keeps
local RECENT_MOST = 1024 -- requests kept to notice when one is sent again

local streams, frames, recent, recent_order, recent_next

local function forget_everything()
    streams, frames = {}, {}
    recent, recent_order, recent_next = {}, {}, 1
end
forget_everything()

-- A connection: `server` is the end that answers, as text; `waiting` are requests without answer.
local function stream_of(number)
    local stream = streams[number]
    if not stream then
        stream = { server = nil, waiting = {}, is_ours = false, is_http = false }
        streams[number] = stream
    end
    return stream
end

-- Who said a line that went from `from` to `to`: by what the connection showed before, else by the
-- shape of the line. A line that can be read settles it for the connection.
local function read_line(raw, stream, from, to)
    if stream.server then
        return read_as(raw, stream.server == from and "server" or "client")
    end
    local sender = sender_by_shape(raw)
    local message = read_as(raw, sender)
    if message.kind ~= "unreadable" then
        stream.server = sender == "server" and from or to
    end
    return message
end

local function remember_request(record, text)
    local key = record.uin .. " " .. record.seq .. " " .. text
    local before = recent[key]
    if before then
        record.before, before.after = before, record
    end
    recent[key] = record
    if not before then
        local oldest = recent_order[recent_next]
        if oldest then
            recent[oldest] = nil
        end
        recent_order[recent_next] = key
        recent_next = recent_next % RECENT_MOST + 1
    end
end

-- The request that `record`, a reply, answers: by command and SEQ, as pushes number themselves. The
-- SEQ of a sign-in after a captcha is unknown, so it also answers an answer to a captcha.
local function answered(stream, record)
    local waiting = stream.waiting
    for position, request in ipairs(waiting) do
        if request.seq == record.seq and request.answers[record.command] then
            return table.remove(waiting, position)
        end
    end
    if record.command == "login" then
        for position, request in ipairs(waiting) do
            if request.command == "verifycode" and request.kind == "request" then
                return table.remove(waiting, position)
            end
        end
    end
    return nil
end

-- What is kept of a message; `time` is in seconds since the first packet.
local function first_seen(message, stream, frame, time)
    local line = message.line
    local record = {
        frame = frame,
        time = time,
        kind = message.kind,
        sender = message.sender,
        name = message.name,
        command = message.name:lower(),
        seq = strip(value_of(line, "SEQ") or ""),
        uin = strip(value_of(line, "UIN") or ""),
        res = message.res,
        is_odd = false,
    }
    if message.sender == "client" then
        record.answers = message.spec and message.spec.answers or { [record.command] = true }
        remember_request(record, line.text)
        local waiting = stream.waiting
        for position, request in ipairs(waiting) do
            if request.seq == record.seq and request.command == record.command then
                table.remove(waiting, position) -- the answer is to the last of them
                break
            end
        end
        if #waiting >= WAITING_MOST then
            table.remove(waiting, 1)
        end
        waiting[#waiting + 1] = record
    elseif message.kind ~= "push" then
        local request = answered(stream, record)
        if request then
            record.request = request
            request.reply = record
        end
    end
    return record
end

-- The record of the line that is the `place`th of its frame; made when the frame is first seen.
local function record_of(message, stream, pinfo, place)
    local records = frames[pinfo.number]
    if not records then
        records = {}
        frames[pinfo.number] = records
    end
    local record = records[place]
    if not record and not pinfo.visited then
        record = first_seen(message, stream, pinfo.number, pinfo.rel_ts)
        records[place] = record
    end
    return record
end
