-- Reading: bytes to lines, lines to fields, fields to values. No Wireshark here.
-- The rules are those of kqq.protocol (wire.py, fields.py, prepare.py, explain.py), told again.

-- A command's fields are its head and its own; `by_key` and `places` say where each is.
do
    local function complete(spec, head)
        local own = spec.fields or {}
        spec.fields, spec.by_key, spec.places = {}, {}, {}
        for _, some in ipairs({ head, own }) do
            for _, field in ipairs(some) do
                spec.fields[#spec.fields + 1] = field
                spec.by_key[field.key] = field
                spec.places[field.key] = #spec.fields
                field.label = " [" .. field.words .. "]"
            end
        end
    end
    for _, spec in pairs(catalogue.requests) do
        spec.role = "request"
        complete(spec, catalogue.heads.request)
    end
    for _, forms in pairs(catalogue.responses) do
        for _, spec in ipairs(forms) do
            complete(spec, catalogue.heads[spec.role])
        end
    end
    for _, spec in pairs(catalogue.documents) do
        spec.role = "document"
        complete(spec, {})
    end
    catalogue.unknown = { client = {}, server = {} } -- commands that nobody knows
    complete(catalogue.unknown.client, catalogue.heads.request)
    complete(catalogue.unknown.server, catalogue.heads.reply)
end

local LINE_LIMIT = catalogue.line_limit
local PREFIX = 2 -- bytes of the longest length that ZNQQ and QQBot put before a line
local RES_PLACE = 5 -- the place of RES among the fields of a reply, counted from 1
local DIGITS_MOST = 20 -- digits of the longest number that is taken
local LARGEST = "18446744073709551615" -- of 64 bits
local BLANK = "[%s\28-\31]" -- what Python takes for a blank, as far as it is ASCII
local BLANKS_BEFORE, BLANKS_BEHIND = "^" .. BLANK .. "+", BLANK .. "+$"

local function strip(text)
    if not text:find(BLANK) then
        return text
    end
    return (text:gsub(BLANKS_BEFORE, ""):gsub(BLANKS_BEHIND, ""))
end

-- Every %XX undone, in one pass.
local function unescape(value)
    if not value:find("%", 1, true) then
        return value
    end
    return (value:gsub("%%(%x%x)", function(digits)
        return string.char(tonumber(digits, 16))
    end))
end

-- The length of the well-formed UTF-8 sign that begins at `place`, nil if there is none.
local function sign_length(text, place)
    local first, second = text:byte(place, place + 1)
    if first < 0x80 then
        return 1
    end
    if first < 0xC2 or first > 0xF4 or not second then
        return nil
    end
    local low = (first == 0xE0 and 0xA0) or (first == 0xF0 and 0x90) or 0x80
    local high = (first == 0xED and 0x9F) or (first == 0xF4 and 0x8F) or 0xBF
    if second < low or second > high then
        return nil
    end
    local length = (first < 0xE0 and 2) or (first < 0xF0 and 3) or 4
    if not text:find("^" .. ("[\128-\191]"):rep(length - 1), place + 1) then
        return nil
    end
    return length
end

-- `text` as Wireshark can show it, and whether it was UTF-8: other bytes become U+FFFD, and NUL,
-- which would end the text, becomes U+2400.
local function shown(text)
    local plain = text
    if text:find("\0", 1, true) then
        plain = text:gsub("\0", "\226\144\128")
    end
    if not plain:find("[\128-\255]") then
        return plain, true
    end
    local pieces, place, good = {}, 1, true
    while place <= #plain do
        local strange = plain:find("[\128-\255]", place)
        if not strange then
            pieces[#pieces + 1] = plain:sub(place)
            break
        end
        pieces[#pieces + 1] = plain:sub(place, strange - 1)
        local length = sign_length(plain, strange)
        if length then
            pieces[#pieces + 1] = plain:sub(strange, strange + length - 1)
        else
            pieces[#pieces + 1] = "\239\191\189"
            good = false
        end
        place = strange + (length or 1)
    end
    return table.concat(pieces), good
end

-- The start of a shown text: at most `most` bytes, cut between signs, with a blank in place of
-- whatever could steer a terminal: line ends and other controls, and signs that turn the direction.
local function short(text, most)
    text = text:gsub("%c", " ")
    if text:find("[\194\226]") then
        text = text:gsub("\194[\128-\159]", " ")
        text = text:gsub("\226\128[\142\143\168-\174]", " "):gsub("\226\129[\166-\169]", " ")
    end
    if #text <= most then
        return text
    end
    while most > 0 and text:find("^[\128-\191]", most + 1) do
        most = most - 1
    end
    return text:sub(1, most) .. "\226\128\166"
end

-- Kinds: each takes the value as it stands in the line and returns what it is, or nil and the rule.

local function digits_of(value)
    value = strip(value)
    if value:find("^%d+$") and #value <= DIGITS_MOST then
        return value
    end
    return nil, "must be 1 to " .. DIGITS_MOST .. " decimal digits"
end

local function number_of(value)
    local digits, rule = digits_of(value)
    if not digits then
        return nil, rule
    end
    local plain = digits:gsub("^0+(%d)", "%1")
    return plain
end

local function hex_of(value)
    local found = {}
    for piece in strip(value):gmatch("[^ \t\r\n\v\f]+") do
        if not piece:find("^%x+$") or #piece % 2 == 1 then
            return nil, "must be hexadecimal digits, two for each byte"
        end
        found[#found + 1] = piece
    end
    return table.concat(found)
end

local KINDS = {
    UINT = number_of,
    DIGITS = digits_of,
    TEXT = unescape,
    PROSE = unescape,
    HEX = hex_of,
    HEX_TEXT = function(value, field)
        value = strip(value)
        if #value == field.digits and value:find("^%x+$") then
            return value
        end
        return nil, "must be " .. field.digits .. " hexadecimal digits"
    end,
    VERSION = function(value)
        value = strip(value)
        for _, version in ipairs(catalogue.versions) do
            if value == version then
                return value
            end
        end
        return nil, "must be one of " .. table.concat(catalogue.versions, ", ")
    end,
}

-- The items of a list, as sent, each with its place in the value (counted from 1).
local function items_of(value, field)
    local items, place = {}, 1
    if strip(value) == "" then
        return items
    end
    while true do
        local comma = value:find(",", place, true)
        items[#items + 1] = { value:sub(place, (comma or #value + 1) - 1), place }
        if not comma then
            break
        end
        place = comma + 1
    end
    if field.list == "trailing" and strip(items[#items][1]) == "" then
        items[#items] = nil
    end
    return items
end

local function first_rule(field, value)
    local kind = KINDS[field.kind]
    if not field.list then
        local _, rule = kind(value, field)
        return rule
    end
    for _, item in ipairs(items_of(value, field)) do
        local _, rule = kind(item[1], field)
        if rule then
            return rule
        end
    end
    return nil
end

-- Why the value of `part` cannot be one of `field`, nil if it can. Told once for each part.
local function broken_rule(field, part)
    if part.rule == nil then
        part.rule = first_rule(field, part.value) or false
    end
    return part.rule or nil
end

-- A line without its end: where it begins behind junk, and the parts between the `&`s.
-- A part is {key, value, place, length, value_place, is_empty}; places count from 1 in `raw`.
local function cut_line(raw)
    local text = raw:gsub("\n$", ""):gsub("\r$", "")
    local line = { text = text, start = 1, parts = {}, first = {}, ends = raw:sub(#text + 1) }
    local ver = text:find("VER=", 1, true)
    if ver and ver > 1 and (ver - 1 <= PREFIX or not text:sub(1, ver - 1):find("=", 1, true)) then
        line.start = ver
    end
    local place = line.start
    while true do
        local stop = text:find("&", place, true) or #text + 1
        local part = { place = place, length = stop - place }
        local equals = text:find("=", place, true)
        if equals and equals < stop then
            part.key = strip(text:sub(place, equals - 1))
            part.value = text:sub(equals + 1, stop - 1)
            part.value_place = equals + 1
            if not line.first[part.key] then
                line.first[part.key] = part
            end
        end
        line.parts[#line.parts + 1] = part
        if stop > #text then
            break
        end
        place = stop + 1
    end
    return line
end

-- Let the field that takes the rest of the line have it, once all required ones stand before it.
local function join_rest(line, spec)
    local rest = spec and spec.rest
    if not rest or not line.first[rest] then
        return
    end
    local before = {}
    for position, part in ipairs(line.parts) do
        if part.key == rest then
            for _, field in ipairs(spec.fields) do
                if field.required and field.key ~= rest and not before[field.key] then
                    return
                end
            end
            local last = line.parts[#line.parts]
            part.length = last.place + last.length - part.place
            part.value = line.text:sub(part.value_place)
            for extra = #line.parts, position + 1, -1 do
                line.parts[extra] = nil
            end
            line.first = {}
            for _, kept in ipairs(line.parts) do
                if kept.key and not line.first[kept.key] then
                    line.first[kept.key] = kept
                end
            end
            return
        end
        if part.key then
            before[part.key] = true
        end
    end
end

local function value_of(line, key)
    local part = line.first[key]
    return part and part.value
end
