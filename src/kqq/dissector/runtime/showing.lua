-- Showing: messages as trees, filters, notes and the text of the Info column.

local INFO_MOST = 120 -- bytes of a message in the Info column
local LABEL_MOST = 200
local COLUMN_MOST = 1000
local PNG_START = "89504e470d0a1a0a"
local has_png, png = pcall(Dissector.get, "png")
png = has_png and png or nil

local kqq = Proto("kqq", catalogue.title)
local fields, experts = {}, {}

do
    local all = {}
    for _, one in ipairs(catalogue.filters) do
        local name, field = "kqq." .. one.name, nil
        if one.type == "number" then
            field = ProtoField.uint64(name, one.key, base.DEC, nil, nil, one.about)
        elseif one.type == "bytes" then
            field = ProtoField.bytes(name, one.key, base.NONE, one.about)
        else
            field = ProtoField.string(name, one.key, base.UNICODE, one.about)
        end
        fields[one.name] = field
        all[#all + 1] = field
    end
    local ours = {
        kind = { "string", "Kind", "request, reply, push, document or unreadable" },
        sender = { "string", "Sender", "client or server" },
        list = { "string", "List", "a list as sent" },
        unknown = { "string", "Unknown field", "a field that this command does not have" },
        malformed = { "string", "Malformed field", "a value that breaks the rule of its field" },
        noise = { "bytes", "Noise", "bytes between lines that are no line" },
    }
    for _, name in ipairs({ "kind", "sender", "list", "unknown", "malformed", "noise" }) do
        local type_of, title, about = ours[name][1], ours[name][2], ours[name][3]
        local third = type_of == "bytes" and base.NONE or base.UNICODE
        fields[name] = ProtoField[type_of]("kqq." .. name, title, third, about)
        all[#all + 1] = fields[name]
    end
    local function frame_number(name, title, type_of)
        fields[name] = ProtoField.framenum("kqq." .. name, title, base.NONE, type_of)
        all[#all + 1] = fields[name]
    end
    frame_number("response_in", "Answered in", frametype.RESPONSE)
    frame_number("response_to", "Answer to", frametype.REQUEST)
    frame_number("sent_again_in", "Sent again in", frametype.RETRANS_NEXT)
    frame_number("sent_before", "Sent before in", frametype.RETRANS_PREV)
    fields.time = ProtoField.relative_time("kqq.time", "Response time")
    all[#all + 1] = fields.time
    kqq.fields = all
end

do
    local all = {}
    local function expert_note(name, text, group, severity)
        experts[name] = ProtoExpert.new("kqq." .. name, text, group, severity)
        all[#all + 1] = experts[name]
    end
    expert_note("junk", "Bytes before VER= are skipped", PI_PROTOCOL, PI_NOTE)
    expert_note("fragment", "No line: part of a length prefix, or empty", PI_PROTOCOL, PI_NOTE)
    expert_note("bare_lf", "The line ends with LF alone", PI_PROTOCOL, PI_NOTE)
    expert_note("no_end", "The end of the line is not in the capture", PI_REASSEMBLE, PI_WARN)
    expert_note("too_long", "Too long for a line", PI_MALFORMED, PI_ERROR)
    expert_note("unreadable", "The line cannot be read", PI_MALFORMED, PI_WARN)
    expert_note("unknown_command", "The command is not known", PI_UNDECODED, PI_WARN)
    expert_note("missing_field", "A field is missing", PI_MALFORMED, PI_WARN)
    expert_note("bad_value", "A value breaks the rule of its field", PI_MALFORMED, PI_WARN)
    expert_note("too_large", "A number larger than Wireshark takes", PI_UNDECODED, PI_NOTE)
    expert_note("unknown_field", "A field that this command does not have", PI_UNDECODED, PI_NOTE)
    expert_note("repeated_field", "A field is there more than once", PI_PROTOCOL, PI_NOTE)
    expert_note("empty_field", "An empty field is skipped", PI_PROTOCOL, PI_NOTE)
    expert_note("field_order", "The fields are not in the usual order", PI_PROTOCOL, PI_NOTE)
    expert_note("not_utf8", "The text is not UTF-8", PI_MALFORMED, PI_WARN)
    expert_note("refused", "The server refuses", PI_RESPONSE_CODE, PI_NOTE)
    expert_note("sent_again", "The same request was sent before", PI_SEQUENCE, PI_NOTE)
    expert_note("unasked", "The request of this reply was not seen", PI_SEQUENCE, PI_NOTE)
    expert_note("no_answer", "No answer to this request was seen", PI_SEQUENCE, PI_WARN)
    kqq.experts = all
end

kqq.prefs.port = Pref.range("TCP ports", catalogue.port,
    "Ports where every connection is taken for lines of KQQ. Lines and HTTP bodies that look like "
        .. "KQQ are recognised on any port.", 65535)
kqq.prefs.show_secrets = Pref.bool("Show passwords and session keys", false,
    "Show PS, SG and SSG, and what may be one in a broken line. The bytes of the packets have them "
        .. "in any case.")

-- Notes about the conversation, which say nothing against the line itself.
local NOT_ODD = { refused = true, sent_again = true, unasked = true, no_answer = true }
local odd_marks = 0 -- of the line that is being shown

local function mark(item, name, words)
    odd_marks = odd_marks + (NOT_ODD[name] and 0 or 1)
    if words then
        item:add_proto_expert_info(experts[name], short(words, LABEL_MOST))
    else
        item:add_proto_expert_info(experts[name])
    end
end

-- What hides the secrets of a line; `odd` are its oddities. Bytes before VER= break nothing.
local function hiding_of(message, odd)
    if kqq.prefs.show_secrets then
        return function(text)
            return text
        end
    end
    local is_broken = message.kind == "unreadable" or not message.spec
    for _, one in ipairs(odd) do
        is_broken = is_broken or one[1] ~= "junk"
    end
    return is_broken and hide_broken or hide
end

-- The value of `key` as sent, without secrets.
local function safe_value(message, key, value)
    return message.hide(key .. "=" .. value):sub(#key + 2)
end

-- What stands behind `start` (a key with its =, or nothing), without escapes and secrets. These may
-- be told by either, so both are looked at.
local function readable(message, start, value)
    local safe = message.hide(start .. value):sub(#start + 1)
    return message.hide(start .. unescape(safe)):sub(#start + 1)
end

local function meaning_of(field, value)
    local word = field.values and field.values[strip(value)]
    return word and word ~= strip(value) and word or nil
end

-- A number of up to 20 digits as what a field of 64 bits takes, nil if it is larger.
local function unsigned(digits)
    if #digits < 16 then
        return UInt64.new(tonumber(digits))
    end
    if #digits > #LARGEST or (#digits == #LARGEST and digits > LARGEST) then
        return nil
    end
    local split = #digits - 9
    return UInt64.new(tonumber(digits:sub(1, split))) * UInt64.new(1000000000)
        + UInt64.new(tonumber(digits:sub(split + 1)))
end

-- One value, which keeps the rule of its field, as an item of the tree; and how it reads.
local function add_value(tree, field, value, range, pinfo)
    local proto_field = fields[field.filter]
    if field.kind == "UINT" then
        local digits = number_of(value)
        local number = unsigned(digits)
        if not number then
            local item = tree:add(fields.malformed, range, field.key .. "=" .. digits)
            mark(item, "too_large", field.key .. " does not fit into 64 bits")
            return item, digits
        end
        local item = tree:add(proto_field, range, number)
        local word = meaning_of(field, digits)
        if word then
            item:append_text(" (" .. word .. ")")
        end
        return item, digits
    end
    if field.kind == "HEX" then
        local hex = hex_of(value)
        if hex == "" then
            return tree:add(proto_field, range(0, 0)), ""
        end
        local bytes = ByteArray.new(hex):tvb("Bytes of " .. field.key)
        local item = tree:add(proto_field, bytes:range())
        if hex:sub(1, 16):lower() == PNG_START and png then
            pcall(png.call, png, bytes, pinfo, item) -- Wireshark itself says what is wrong with it
        end
        return item, math.floor(#hex / 2) .. " bytes"
    end
    local words, is_utf8 = shown(KINDS[field.kind](value, field))
    local item = tree:add(proto_field, range, words)
    local word = meaning_of(field, value)
    if word then
        item:append_text(" (" .. word .. ")")
    end
    if not is_utf8 then
        mark(item, "not_utf8", field.key .. " is not UTF-8")
    end
    return item, words
end

local function add_list(tree, field, part, tvb, offset, pinfo)
    local range = tvb:range(offset + part.place - 1, part.length)
    local item = tree:add(fields.list, range, field.key .. "=" .. (shown(part.value)))
    item:set_text(field.key .. ": ")
    local items = items_of(part.value, field)
    local words = {}
    for _, one in ipairs(items) do
        local place = offset + part.value_place - 1 + one[2] - 1
        local length = #one[1]
        local own = length > 0 and tvb:range(place, length) or range
        local _, text = add_value(item, field, one[1], own, pinfo)
        words[#words + 1] = text
    end
    local all = short(table.concat(words, ", "), LABEL_MOST)
    item:append_text(all .. " [" .. field.words .. "; " .. #items .. "]")
    return item, all
end

-- A value that has something hidden in it: a list is not taken apart then.
local function add_safe(tree, field, safe, range)
    local words, is_utf8 = shown(safe)
    local item
    if field.list then
        item = tree:add(fields.list, range, field.key .. "=" .. words)
    elseif field.kind == "UINT" or field.kind == "HEX" then
        item = tree:add(range, field.key .. ": " .. words)
    else
        item = tree:add(fields[field.filter], range, words)
    end
    item:append_text(field.label)
    if not is_utf8 then
        mark(item, "not_utf8", field.key .. " is not UTF-8")
    end
    return item, words
end

-- One field of a line; returns the item and how its value reads.
local function add_part(tree, message, part, tvb, offset, pinfo)
    local range = tvb:range(offset + part.place - 1, part.length)
    local field = message.by_key[part.key]
    if not field then
        local text = message.line.text:sub(part.place, part.place + part.length - 1)
        return tree:add(fields.unknown, range, (shown(readable(message, "", text)))), nil
    end
    if field.secret and not kqq.prefs.show_secrets then
        local item = tree:add(fields[field.filter], range, "***")
        item:append_text(field.label)
        return item, "***"
    end
    local blank = field.blank and not field.required and strip(part.value) == ""
    local rule = not blank and broken_rule(field, part)
    if blank then
        return tree:add(range, field.key .. ":" .. field.label), ""
    end
    local safe = readable(message, field.key .. "=", part.value)
    if rule then
        local words = shown(safe)
        local item = tree:add(fields.malformed, range, field.key .. "=" .. words)
        mark(item, "bad_value", field.key .. " " .. rule)
        return item, words
    end
    if safe ~= unescape(part.value) then
        return add_safe(tree, field, safe, range)
    end
    if field.list then
        return add_list(tree, field, part, tvb, offset, pinfo)
    end
    local item, words = add_value(tree, field, part.value, range, pinfo)
    item:append_text(field.label)
    return item, words
end

-- What a message says, for the Info column: who, which way, the command, then its own fields.
local function in_short(message, told)
    local uin = value_of(message.line, "UIN")
    local who = uin and strip(uin) ~= "" and shown(safe_value(message, "UIN", strip(uin))) or "?"
    local arrow = message.sender == "server" and " < " or " > "
    local words = table.concat(told, " ")
    if message.name ~= "" then
        words = shown(safe_value(message, "CMD", message.name)) .. " " .. words
    elseif message.kind == "unreadable" then
        words = shown(message.hide(message.line.text))
    end
    return short(who .. arrow .. strip(words), INFO_MOST)
end

local function add_links(item, record, pinfo)
    if not record then
        return
    end
    local request, reply = record.request, record.reply
    if request then
        item:add(fields.response_to, request.frame):set_generated()
        local seconds = math.max(record.time - request.time, 0)
        local whole = math.floor(seconds)
        local rest = math.min(math.floor((seconds - whole) * 1e9 + 0.5), 999999999)
        item:add(fields.time, NSTime.new(whole, rest)):set_generated()
    elseif record.kind == "reply" then
        mark(item, "unasked")
    end
    if reply then
        item:add(fields.response_in, reply.frame):set_generated()
    elseif record.after then
        item:add(fields.sent_again_in, record.after.frame):set_generated()
    elseif pinfo.visited and record.kind == "request" then
        mark(item, "no_answer")
    end
    if record.before then
        local frame = record.before.frame
        item:add(fields.sent_before, frame):set_generated()
        mark(item, "sent_again", "The same request, with the same SEQ, was sent in frame " .. frame)
    end
end

local function add_problems(item, message)
    for _, problem in ipairs(message.problems) do
        local key, rule = problem[1], problem[2]
        if key == "CMD" then
            local safe = safe_value(message, "CMD", message.name)
            local name = safe ~= "" and "=" .. shown(safe) or ""
            mark(item, "unknown_command", "CMD" .. name .. " " .. rule)
        elseif rule == "is missing" then
            mark(item, "missing_field", key .. " " .. rule)
        end -- a bad value has its note where it stands
    end
    if message.kind == "unreadable" then
        mark(item, "unreadable")
    end
    if message.res then
        mark(item, "refused", "The server refuses: RES=" .. message.res)
    end
end

-- Show the line that stands at `offset` (from 0) of `tvb` and is `raw`, with its end.
local function show_line(tree, tvb, offset, raw, message, record, pinfo, over)
    odd_marks = 0
    local item = tree:add(kqq, tvb:range(offset, #raw))
    local spec, line = message.spec, message.line
    local odd = oddities_of(message)
    message.hide = hiding_of(message, odd)
    message.by_key = (spec or catalogue.unknown[message.sender]).by_key
    item:add(fields.kind, message.kind):set_generated()
    item:add(fields.sender, message.sender):set_generated()
    add_links(item, record, pinfo)
    add_problems(item, message)
    local notes = {}
    for _, one in ipairs(odd) do
        if one[3] then
            notes[one[3]] = one
        else
            mark(item, one[1], one[2])
        end
    end
    if over == "tcp" and line.ends == "\n" then
        mark(item, "bare_lf")
    end
    local told, seen = {}, {}
    for _, part in ipairs(line.parts) do
        if part.length > 0 then
            local child, words = add_part(item, message, part, tvb, offset, pinfo)
            local note = notes[part]
            if note then
                local key = note[4] and message.hide(note[4]) .. " " or ""
                mark(child, note[1], shown(key) .. note[2])
            end
            local is_own = part.key and not catalogue.head_keys[part.key] or part.key == "RES"
            if words and is_own and not seen[part.key] then
                told[#told + 1] = part.key .. "=" .. short(words, INFO_MOST)
            end
            if part.key then
                seen[part.key] = true
            end
        end
    end
    if record then
        record.is_odd = odd_marks > 0
    end
    local words = in_short(message, told)
    item:append_text(", " .. message.kind .. ": " .. words)
    return words
end

local function show_noise(tree, tvb, offset, length)
    local item = tree:add(kqq, tvb:range(offset, length))
    item:append_text(", no line")
    local noise = item:add(fields.noise, tvb:range(offset, length))
    mark(noise, "fragment")
end

-- Put `words` in the Info column, behind those of other lines of the same packet. Pictures have
-- words of their own there, so the column is written anew.
local function tell(pinfo, words, place)
    local before = place > 1 and pinfo.private["kqq_info"]
    local all = before and short(before .. " | " .. words, COLUMN_MOST) or words
    pinfo.private["kqq_info"] = all
    pinfo.cols.protocol = "KQQ"
    pinfo.cols.info = all
end
