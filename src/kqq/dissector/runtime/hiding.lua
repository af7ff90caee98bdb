-- Hiding: passwords and session keys, out of whatever is shown. No Wireshark here.
-- The rules are those of kqq.protocol.wire (mask and mask_broken), told again.

local HASH_LEAST = 32 -- digits of the hash of a password; a session key is longer
local HASH = ("%x"):rep(HASH_LEAST)
local PIECE_LEAST = 8 -- digits of a hash without its beginning or its end that are hidden
local PIECE = ("%x"):rep(PIECE_LEAST)
local KEY_MOST = 8 -- letters of the longest key
local hidden_keys = { password = true, passwd = true, pwd = true, again = true } -- of forms
for key in pairs(catalogue.secrets) do
    hidden_keys[key:lower()] = true
end

-- Whether a key whose value is hidden ends at `place`, or before blanks that end there, and begins
-- not before `from`. Its letters may be escaped, and `&` before it, too.
local function ends_key(text, from, place)
    while place >= from and text:find("^[\0-\32\128-\255]", place) do
        place = place - 1
    end
    local word = ""
    while place >= from and #word < KEY_MOST do
        local letter = text:match("^[A-Za-z]", place)
        place = place - 1
        if not letter then
            local digits = place > from and text:match("^%%(%x%x)", place - 1)
            letter = digits and string.char(tonumber(digits, 16)):match("[A-Za-z]")
            place = place - 2
        end
        if not letter then
            return false
        end
        word = letter:lower() .. word
        if hidden_keys[word] then
            local is_alone = place == 0 or not text:find("^[A-Za-z0-9_]", place)
            if is_alone or (place > 2 and text:find("^%%26", place - 2)) then
                return true
            end
        end
    end
    return false
end

-- Whether the `=` at `place` follows a key that stands right behind another value, without `&`.
local function is_glued(text, from, place)
    local key = place - 2 >= from and text:sub(place - 2, place - 1):lower()
    return (key == "ps" or key == "sg") and text:find("^=" .. HASH, place) ~= nil
end

-- The place behind the value that begins at `place`.
local function behind_value(text, place)
    local _, hash = text:find("^%s+" .. HASH, place)
    place = hash and hash + 1 or place
    local stop = text:find("[&\n]", place)
    if stop and stop > place and text:find("^\r\n", stop - 1) then
        stop = stop - 1
    end
    return stop or #text + 1
end

-- A text with the values of secret fields replaced by ***.
local function hide(text)
    local pieces, from, place = {}, 1, text:find("[=%%]")
    while place do
        local last = text:find("^=", place) or (text:find("^%%3[Dd]", place) and place + 2)
        if last and (ends_key(text, from, place - 1) or is_glued(text, from, place)) then
            pieces[#pieces + 1] = text:sub(from, last) .. "***"
            from = behind_value(text, last + 1)
            place = from - 1
        end
        place = text:find("[=%%]", place + 1)
    end
    return table.concat(pieces) .. text:sub(from)
end

-- A broken line with all replaced that may be a secret, or the end of one whose key is missing. A
-- picture (VC) is none.
local function hide_broken(text)
    text = hide(text)
    if not text:find(PIECE) then
        return text
    end
    return (text:gsub("()(%x+)()", function(place, digits, behind)
        if #digits >= HASH_LEAST and not (place > 3 and text:find("^VC=", place - 3)) then
            return "***"
        end
        local begins = place == 1 or text:find("^[&\n]", place - 1)
        local ends = behind > #text or text:find("^[&\r\n]", behind)
        return #digits >= PIECE_LEAST and begins and ends and "***" or nil
    end))
end

-- The same of a line whose end is missing, and maybe that of a secret.
local function hide_unfinished(text)
    text = hide_broken(text):gsub("([PpSs][SsGg]=)%x+$", "%1***")
    local digits = text:match("%x+$") or ""
    if #digits >= PIECE_LEAST and digits:find("%a") then
        return text:sub(1, -#digits - 1) .. "***"
    end
    return text
end
