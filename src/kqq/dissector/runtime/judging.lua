-- Judging: what a line says, who said it, and what is wrong or odd about it. No Wireshark here.

local function refusal_code(line)
    local number = number_of(value_of(line, "RES") or "")
    return number ~= "0" and number or nil
end

-- What is wrong with the fields of `spec` in `line`: {key, rule} each; and the RES of a refusal.
local function problems_of(line, spec)
    local problems = {}
    for _, field in ipairs(spec.fields) do
        local part = line.first[field.key]
        if not part then
            if field.required then
                problems[#problems + 1] = { field.key, "is missing" }
            end
        elseif field.required or not field.blank or strip(part.value) ~= "" then
            local rule = broken_rule(field, part)
            if rule then
                problems[#problems + 1] = { field.key, rule }
            end
        end
    end
    local res = spec.role ~= "request" and spec.role ~= "document" and refusal_code(line)
    if res and (spec.role == "reply" or #problems > 0) then
        local of_head = {}
        for _, problem in ipairs(problems) do
            if problem[1] == "VER" or problem[1] == "SEQ" or problem[1] == "UIN" then
                of_head[#of_head + 1] = problem
            end
        end
        return of_head, res
    end
    return problems, nil
end

local function is_ascii(text)
    return not text:find("[\128-\255]")
end

local function name_of(line)
    local name = value_of(line, "CMD")
    return name and strip(name)
end

-- The refusal of a command nobody knows is a reply all the same.
local function unknown_reply(line, name)
    local ver, seq, uin = value_of(line, "VER"), value_of(line, "SEQ"), value_of(line, "UIN")
    local res = refusal_code(line)
    local readable = res
        and seq
        and digits_of(seq)
        and uin
        and digits_of(uin)
        and ver
        and KINDS.VERSION(ver)
        and #name <= 32
        and name:find("^[A-Za-z0-9_]+$")
    if readable then
        return "reply", {}, res
    end
    return "unreadable", { { "CMD", "is no reply or push in the catalogue" } }, nil
end

local function spec_of(line, name, sender)
    if not name then
        if sender == "server" then
            for _, part in ipairs(line.parts) do
                local spec = part.key and catalogue.documents[part.key]
                if spec then
                    return spec
                end
            end
        end
        return nil
    end
    local known = is_ascii(name) and name:lower() or ""
    if sender == "client" then
        return catalogue.requests[known]
    end
    for _, spec in ipairs(catalogue.responses[known] or {}) do
        if not spec.when or line.first[spec.when] then
            return spec
        end
    end
    return nil
end

-- Read a cut line as said by `sender`: a message {line, name, spec, kind, problems, res, sender}.
-- `kind` is "request", "reply", "push", "document" or "unreadable".
local function read_as(raw, sender)
    local line = cut_line(raw)
    local name = name_of(line)
    local spec = spec_of(line, name, sender)
    join_rest(line, spec)
    local message = { line = line, name = name or "", spec = spec, sender = sender, problems = {} }
    if spec then
        message.problems, message.res = problems_of(line, spec)
        message.kind = #message.problems > 0 and "unreadable"
            or (message.res and "reply" or spec.role)
    elseif not name then
        message.kind = "unreadable"
        message.problems = { { "CMD", "is missing, so the command is not known" } }
    elseif sender == "client" then
        message.kind = "unreadable"
        message.problems = { { "CMD", "is no request in the catalogue" } }
    else
        message.kind, message.problems, message.res = unknown_reply(line, name)
    end
    return message
end

-- Who said it, told by its shape: only servers send RES, save within the words of a request.
local function sender_by_shape(raw)
    local line = cut_line(raw)
    if not line.first.RES then
        for key in pairs(line.first) do
            if catalogue.documents[key] then
                return "server"
            end
        end
        return "client"
    end
    local place = 0
    for _, part in ipairs(line.parts) do
        if part.length > 0 then
            place = place + 1
            if part.key == "RES" then
                break
            end
        end
    end
    if place <= RES_PLACE then
        return "server"
    end
    local request = read_as(raw, "client")
    if request.kind == "unreadable" or request.line.first.RES then
        return "server"
    end
    return "client"
end

-- What a strict writer would not have sent, besides problems: {mark, words, part or nil, key or
-- nil} each; the key stands before the words.
local function oddities_of(message)
    local odd, line, spec = {}, message.line, message.spec
    local function note(mark, words, part, key)
        odd[#odd + 1] = { mark, words, part, key }
    end
    if line.start > 1 then
        local count = line.start - 1
        local words = count == 1 and " byte before VER= is skipped" or " bytes before VER= are skipped"
        note("junk", count .. words)
    end
    if not spec then
        return odd
    end
    local seen, order = {}, {}
    for position, part in ipairs(line.parts) do
        if part.length == 0 then
            if #line.parts > 1 or position > 1 then
                note("empty_field", "an empty field (&& or & at an end) is skipped")
            end
        elseif not part.key or part.key == "" then
            note("unknown_field", "a part without = is skipped", part)
        elseif not spec.places[part.key] then
            note("unknown_field", "is not a field of this command", part, part.key)
        elseif seen[part.key] then
            note("repeated_field", "is there once more; the first counts", part, part.key)
        else
            seen[part.key] = true
            order[#order + 1] = spec.places[part.key]
        end
    end
    for position = 2, #order do
        if order[position] < order[position - 1] then
            note("field_order", "the fields are not in the usual order")
            break
        end
    end
    return odd
end

-- A fragment of a length prefix with an LF in it, or an empty line: no message at all.
local function is_noise(raw)
    return #raw:gsub("\n$", "") <= PREFIX and not raw:find("=", 1, true)
end
