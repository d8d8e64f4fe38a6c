-- Text from outside: as UTF-8 that can be shown, and the details of events, which are JSON.

local byte, format, char = string.byte, string.format, string.char

local words = {}

-- The length of the UTF-8 sequence at a position; nil if there is none.
local function sequence(s, at)
  local a, b, c, d = byte(s, at, at + 3)
  local function tail(x) return x and x >= 128 and x < 192 end
  if a < 128 then return 1 end
  if a >= 194 and a < 224 and tail(b) then return 2 end
  if a >= 224 and a < 240 and tail(b) and tail(c) then
    if (a == 224 and b < 160) or (a == 237 and b >= 160) then return nil end
    return 3
  end
  if a >= 240 and a < 245 and tail(b) and tail(c) and tail(d) then
    if (a == 240 and b < 144) or (a == 244 and b >= 144) then return nil end
    return 4
  end
  return nil
end

-- Bytes that are no UTF-8 as \xNN.
function words.utf8(s)
  if not s:find("[\128-\255]") then return s end
  local parts, at = {}, 1
  while at <= #s do
    local length = sequence(s, at)
    if length then
      parts[#parts + 1] = s:sub(at, at + length - 1)
      at = at + length
    else
      parts[#parts + 1] = format("\\x%02x", byte(s, at))
      at = at + 1
    end
  end
  return table.concat(parts)
end

local SHORT = { [9] = "\\t", [10] = "\\n", [13] = "\\r" }

-- What could drive a terminal, as an escape: control characters, and marks of the direction of writing.
function words.printable(s)
  s = s:gsub("[%z\1-\31\127]", function(c) return SHORT[byte(c)] or format("\\x%02x", byte(c)) end)
  if not s:find("[\194\226]") then return s end
  s = s:gsub("\194([\128-\159])", function(c) return format("\\x%02x", byte(c)) end)
  s = s:gsub("\226(\128)([\142\143\168-\174])", function(_, c) return format("\\u20%02x", byte(c) - 128) end)
  return (s:gsub("\226\129([\166-\169])", function(c) return format("\\u20%02x", byte(c) - 128 + 64) end))
end

-- Text without the zeros behind it.
function words.unpadded(s) return words.utf8((s:gsub("%z+$", ""))) end

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8_of(code)
  if code < 128 then return char(code) end
  if code < 2048 then return char(192 + math.floor(code / 64), 128 + code % 64) end
  if code < 65536 then return char(224 + math.floor(code / 4096), 128 + math.floor(code / 64) % 64, 128 + code % 64) end
  return char(240 + math.floor(code / 262144), 128 + math.floor(code / 4096) % 64, 128 + math.floor(code / 64) % 64,
    128 + code % 64)
end

-- A JSON string whose opening quote is at a position: its text, and the position behind it. Half a surrogate pair is
-- what no UTF-8 can say: it stays an escape.
local function json_string(s, at)
  local parts = {}
  at = at + 1
  while true do
    local stop = s:find('["\\]', at)
    if not stop then return nil end
    parts[#parts + 1] = s:sub(at, stop - 1)
    if s:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
    local escape = s:sub(stop + 1, stop + 1)
    if escape == "u" then
      local code = tonumber(s:match("^%x%x%x%x", stop + 2) or "", 16)
      if not code then return nil end
      at = stop + 6
      if code >= 55296 and code < 56320 then
        local low = tonumber(s:match("^\\u(%x%x%x%x)", at) or "", 16)
        if low and low >= 56320 and low < 57344 then
          code = 65536 + (code - 55296) * 1024 + (low - 56320)
          at = at + 6
        end
      end
      if code >= 55296 and code < 57344 then
        parts[#parts + 1] = format("\\u%04x", code)
      else
        parts[#parts + 1] = utf8_of(code)
      end
    else
      if not ESCAPES[escape] then return nil end
      parts[#parts + 1] = ESCAPES[escape]
      at = stop + 2
    end
  end
end

-- A flat JSON object of strings and whole numbers: a list of {key, value}, numbers as text in `number`; nil if it is
-- none.
function words.details(s)
  local pairs_found, places = {}, {}
  local at = s:match("^%s*{%s*()")
  if not at then return nil end
  if s:match("^}%s*$", at) then return pairs_found end
  while true do
    if s:sub(at, at) ~= '"' then return nil end
    local key, value, number
    key, at = json_string(s, at)
    if not key then return nil end
    at = s:match("^%s*:%s*()", at)
    if not at then return nil end
    if s:sub(at, at) == '"' then
      value, at = json_string(s, at)
      if not value then return nil end
    else
      number, at = s:match("^(%-?%d+)()", at)
      if not number then return nil end
    end
    -- Of a key that is there twice the last value counts.
    places[key] = places[key] or #pairs_found + 1
    pairs_found[places[key]] = { key = key, text = value, number = number }
    local following
    following, at = s:match("^%s*([,}])%s*()", at)
    if following == "}" then return s:sub(at) == "" and pairs_found or nil end
    if following ~= "," then return nil end
  end
end

return words
