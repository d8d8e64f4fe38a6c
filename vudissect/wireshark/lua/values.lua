-- The payload of a message in few words, as `vudissect show` prints it: bits, fields, regions, configuration spaces.

local format, concat = string.format, table.concat
local max, min = math.max, math.min
local decimal, address, size_text, part = numbers.decimal, numbers.address, numbers.size, numbers.part
local has_bit, printable, read = numbers.has_bit, words.printable, numbers.read

local values = {}

local MOST_BYTES = 16
local FIRST = decode.HEADER + 1
local RING_PACKED = tables.features.numbers.RING_PACKED
local UNSAID = { PADDING = true, POINTER = true, COUNT = true, SECRET = true, LEFTOVER = true }

-- Words of bits --------------------------------------------------------------------------------------------------

-- The names of the bits that are set in a word, as a list; `named` are tables of {bit = name}, asked in order.
local function bit_names(lo, hi, ...)
  local found, asked = {}, { ... }
  for bit = 0, 63 do
    if has_bit(lo, hi, bit) then
      local called
      for _, named in ipairs(asked) do called = called or named[bit] end
      found[#found + 1] = called or format("bit %d", bit)
    end
  end
  return found
end

-- a and not b, both as halves.
local function without(a, b)
  local lo, hi, unit = 0, 0, 1
  for bit = 0, 31 do
    if has_bit(a[1], 0, bit) and not has_bit(b[1], 0, bit) then lo = lo + unit end
    if has_bit(a[2], 0, bit) and not has_bit(b[2], 0, bit) then hi = hi + unit end
    unit = unit * 2
  end
  return lo, hi
end

local function all_names(names)
  return #names > 0 and concat(names, " ") or "none"
end

-- What was acknowledged as a difference to what was offered; whichever list is shorter says the same in less room.
local function difference(word, offered, ...)
  local acked = bit_names(word[1], word[2], ...)
  local lo, hi = without(offered, word)
  local refused = bit_names(lo, hi, ...)
  lo, hi = without(word, offered)
  local unasked = bit_names(lo, hi, ...)
  local result
  if #acked == 0 then
    result = "none"
  elseif #refused == 0 then
    result = "all that was offered"
  elseif #refused < #acked then
    result = "all but " .. concat(refused, " ")
  else
    local strange, only = {}, {}
    for _, name in ipairs(unasked) do strange[name] = true end
    for _, name in ipairs(acked) do
      if not strange[name] then only[#only + 1] = name end
    end
    result = "only " .. concat(only, " ")
  end
  if #unasked > 0 then result = result .. ", and NOT OFFERED: " .. concat(unasked, " ") end
  return result
end

local NO_NAMES = {}

local function features_text(lo, hi, view, purpose)
  local own, shared = view.device and view.device.features.names or NO_NAMES, tables.features.names
  if purpose ~= "ACK_FEATURES" or not view.offered then return all_names(bit_names(lo, hi, own, shared)) end
  return difference({ lo, hi }, view.offered, own, shared)
end

-- What an acknowledgement of features is shown against.
local OFFERS = { ACK_PROTOCOL_FEATURES = "protocol_offered", ACK_GPU_FEATURES = "gpu_offered" }

local function bits_text(field, lo, hi, view, purpose)
  local names = field.w.names
  if T.feature_lists[purpose] then
    local offered = OFFERS[purpose] and view[OFFERS[purpose]]
    if offered then return difference({ lo, hi }, offered, names) end
    return all_names(bit_names(lo, hi, names))
  end
  local set = concat(bit_names(lo, hi, names), "|")
  return field.n .. " " .. (set ~= "" and set or "0")
end

-- Fields -----------------------------------------------------------------------------------------------------------

-- Bytes as text: MAC, UUID, text, else hexadecimal.
local function bytes_text(meaning, s)
  if meaning == "MAC" then return (numbers.hex_bytes(s, #s):gsub(" ", ":")) end
  if meaning == "UUID" and #s == 16 then
    return (numbers.plain_hex(s):gsub("^(........)(....)(....)(....)", "%1-%2-%3-%4-"))
  end
  if meaning == "TEXT" then return words.unpadded(s) end
  return numbers.plain_hex(s)
end

local function raw_text(field, contents)
  if field.m == "PIXELS" then return field.n .. " " .. size_text(#contents, 0) end
  if field.m == "BYTES" then return field.n .. " " .. numbers.whole_hex(contents) end
  return field.n .. " " .. printable(bytes_text(field.m, contents))
end

local function place_text(label, lo, hi, region, offset_lo, offset_hi)
  if not region then return label .. address(lo, hi) end
  return format("%sregion%d+%s", label, region.number, numbers.hex(offset_lo, offset_hi))
end

local function status_text(lo, hi)
  if lo == 0 and hi == 0 then return "ok" end
  return format("FAILED (%s)", decimal(lo, hi))
end

local function parts_text(field, lo, hi)
  local said = {}
  for _, each in ipairs(field.p) do
    local part_lo, part_hi = part(lo, hi, each.low, each.width)
    if each.m == "RING" then
      said[#said + 1] = "ring " .. decimal(part_lo, part_hi)
    elseif each.m == "STATUS_CODE" then
      said[#said + 1] = status_text(part_lo, part_hi)
    elseif part_lo ~= 0 or part_hi ~= 0 then
      said[#said + 1] = each.width == 1 and each.n or each.n .. " " .. numbers.hex(part_lo, part_hi)
    end
  end
  return concat(said, " ")
end

local function hexadecimal(label, sign) return function(lo, hi) return label .. sign .. address(lo, hi) end end

-- How to say a number, by meaning: a function that makes one of (low half, high half, view, purpose) to text.
local BY_MEANING = {
  NUMBER = function(label, sign) return function(lo, hi) return label .. sign .. decimal(lo, hi) end end,
  SIZE = function(label) return function(lo, hi) return label .. size_text(lo, hi) end end,
  GUEST_ADDRESS = hexadecimal, IOVA = hexadecimal, OFFSET = hexadecimal, HEX = hexadecimal,
  RING = function() return function(lo, hi) return "ring " .. decimal(lo, hi) end end,
  STATUS_CODE = function() return status_text end,
  RING_BASE = function()
    return function(lo, hi, view)
      local acked = view.acked
      if not acked or not has_bit(acked[1], acked[2], RING_PACKED) then return "base " .. decimal(lo, hi) end
      return format("avail %d wrap %d used %d wrap %d", lo % 32768, part(lo, 0, 15, 1), part(lo, 0, 16, 15), (part(lo, 0, 31, 1)))
    end
  end,
  RING_ADDRESS = function(label)
    return function(lo, hi, view) return place_text(label, lo, hi, views.ring_place(view, lo, hi)) end
  end,
  USER_ADDRESS = function(label)
    return function(lo, hi, view) return place_text(label, lo, hi, views.place(view, lo, hi, false)) end
  end,
  VIRTIO_FEATURES = function() return features_text end,
}

local function sayer(field, sign)
  local label = field.n .. " "
  if field.p then return function(lo, hi) return parts_text(field, lo, hi) end end
  if field.m ~= "VIRTIO_FEATURES" and field.w then
    return function(lo, hi, view, purpose) return bits_text(field, lo, hi, view, purpose) end
  end
  local choices = field.c
  if choices then
    return function(lo, hi) return hi == 0 and choices[lo] or label .. decimal(lo, hi) end
  end
  local make = BY_MEANING[field.m]
  if make then return make(label, sign) end
  return function(lo, hi) return label .. decimal(lo, hi) end
end

-- A field whose first byte is at a position.
local function field_text(field, order, s, at, view, purpose)
  local size = field.z
  if field.raw then return raw_text(field, s:sub(at, at + size - 1)) end
  local lo, hi = read(order, s, at, size)
  local say = field.say
  if field.signed then
    local is_negative
    lo, hi, is_negative = numbers.signed(lo, hi, size)
    if is_negative then
      field.say_negative = field.say_negative or sayer(field, "-")
      return field.say_negative(lo, hi, view, purpose)
    end
  end
  if not say then
    say = sayer(field, "")
    field.say = say
  end
  return say(lo, hi, view, purpose)
end

-- Memory regions -----------------------------------------------------------------------------------------------------

local function first_of(fields, meaning)
  for _, field in ipairs(fields) do
    if field.m == meaning then return field end
  end
  return nil
end

-- A region in short. Regions define the memory map, so their addresses are no places in it.
local function region_text(fields, order, s, at)
  local function halves(meaning)
    local field = first_of(fields, meaning)
    return read(order, s, at + field.o, field.z)
  end
  local offset_lo, offset_hi = halves("OFFSET")
  local told = format("%s+%s at %s", address(halves("GUEST_ADDRESS")), size_text(halves("SIZE")), address(halves("USER_ADDRESS")))
  if offset_lo == 0 and offset_hi == 0 then return told end
  return told .. " file+" .. numbers.hex(offset_lo, offset_hi)
end

local function is_blank(fields, order, s, at)
  for _, field in ipairs(fields) do
    if field.raw then return false end
    local lo, hi = read(order, s, at + field.o, field.z)
    if lo ~= 0 or hi ~= 0 then return false end
  end
  return true
end

-- The fields that are said, what the whole is about first.
local function said_of(layout)
  if layout.said then return layout.said end
  local said = {}
  for _, field in ipairs(layout.fields) do
    if field.m == "KIND" then said[#said + 1] = field end
  end
  for _, field in ipairs(layout.fields) do
    if field.m ~= "KIND" and not UNSAID[field.m] then said[#said + 1] = field end
  end
  layout.said = said
  return said
end

-- The texts of the fields of a layout, or of an entry of an array.
local function fields_text(layout, order, s, at, view, purpose)
  local said = {}
  for place, field in ipairs(said_of(layout)) do
    said[place] = field_text(field, order, s, at + field.o, view, purpose)
  end
  return said
end

local function array_text(message, array, view)
  local singular, said = array.name:gsub("s$", ""), {}
  local at = FIRST + message.layout.fixed
  for place = 0, message.count - 1 do
    if array.is_region then
      said[#said + 1] = format("%s%d %s", singular, place, region_text(array.fields, message.order, message.data, at))
    elseif not is_blank(array.fields, message.order, message.data, at) then
      local entry = fields_text(array, message.order, message.data, at, view, "NONE")
      said[#said + 1] = format("%s%d %s", singular, place, concat(entry, " "))
    end
    at = at + array.size
  end
  return #said > 0 and concat(said, ", ") or "no " .. array.name
end

-- Configuration spaces -------------------------------------------------------------------------------------------------

-- Bytes that are not decoded: `capacity[0:4]=00000001`, `unknown[60:64]=0`.
local function part_text(name, start, s)
  local bytes = "0"
  if s:find("[^\0]") then bytes = numbers.plain_hex(s:sub(1, MOST_BYTES)) .. (#s > MOST_BYTES and "..." or "") end
  return format("%s[%s:%s]=%s", name, decimal(start, 0), decimal(start + #s, 0), bytes)
end

-- Fields of a configuration space that are not zero, and in any case the first; then what is not decoded. The bytes begin
-- at an offset, and are little-endian on every machine.
local function config_text(device, s, offset)
  local said, place, parts, stop, known = {}, 0, {}, offset + #s, 0
  for _, field in ipairs(device and device.fields or {}) do
    known = field.o + field.z
    local first, last = max(field.o, offset), min(known, stop)
    local is_there, is_whole = first < last and field.m ~= "PADDING", last - first == field.z
    if is_there and not is_whole and not (field.m == "TEXT" and first == field.o) then
      parts[#parts + 1] = part_text(field.n, first - field.o, s:sub(first - offset + 1, last - offset))
    elseif is_there then
      local value, is_zero
      if field.raw then
        value = bytes_text(field.m, s:sub(first - offset + 1, last - offset))
        is_zero = value == ""
      else
        local lo, hi = read(numbers.little, s, first - offset + 1, field.z)
        local is_negative = false
        if field.signed then lo, hi, is_negative = numbers.signed(lo, hi, field.z) end
        value, is_zero = (is_negative and "-" or "") .. decimal(lo, hi), lo == 0 and hi == 0
      end
      if not is_zero or place == 0 then said[#said + 1] = field.n .. " " .. printable(value) end
      place = place + 1
    end
  end
  local rest = max(known, offset)
  if stop > rest then parts[#parts + 1] = part_text("unknown", rest, s:sub(rest - offset + 1)) end
  for _, part in ipairs(parts) do said[#said + 1] = part end
  return concat(said, " ")
end

local function tail_text(message, tail, view)
  local start = FIRST + message.layout.fixed
  local contents = message.data:sub(start, decode.HEADER + message.there)
  if tail.m == "CONFIG" then
    if contents == "" then return "no contents" end
    local told = config_text(view.device, contents, decode.number(message, "offset"))
    return view.device and format("%s%s: %s", view.device.name, view.is_guess and "?" or "", told) or told
  end
  if tail.m == "PIXELS" then return tail.n .. " " .. size_text(#contents, 0) end
  if contents == "" then return "no " .. tail.n end
  return tail.n .. " " .. numbers.whole_hex(contents)
end

-- Payloads -------------------------------------------------------------------------------------------------------------

-- Whether a field is worth a word only if it is not zero.
local function is_usually_zero(field, purpose, is_reply)
  -- A request to stop a ring has room for its position, which only the reply knows.
  if field.m == "RING_BASE" then return purpose == "STOP_RING" and not is_reply end
  if field.m == "FLAGS" then return not T.feature_lists[purpose] end
  return purpose == "READ_CONFIG" and field.c ~= nil
end

-- The texts of the fields of a message.
local function message_text(message, view)
  local layout, purpose, said = message.layout, message.row.purpose, {}
  local fields = said_of(layout)
  for _, field in ipairs(fields) do
    local at, is_left_out = FIRST + field.o, false
    if not field.raw and (#fields > 1 or layout.tail) and is_usually_zero(field, purpose, message.is_reply) then
      local lo, hi = read(message.order, message.data, at, field.z)
      is_left_out = lo == 0 and hi == 0
    end
    if not is_left_out then said[#said + 1] = field_text(field, message.order, message.data, at, view, purpose) end
  end
  return said
end

-- The payload of a message that has a layout.
function values.contents(message, view)
  local layout, purpose = message.layout, message.row.purpose
  if not message.is_reply and layout.is_region then
    return region_text(layout.fields, message.order, message.data, FIRST)
  end
  if message.is_reply and #layout.fields == 0 and not layout.tail and not layout.array then return "empty" end
  local said = message_text(message, view)
  -- A request to read carries room for the contents; what is in it means nothing.
  if layout.tail and (message.is_reply or purpose ~= "READ_CONFIG") and not UNSAID[layout.tail.m] then
    said[#said + 1] = tail_text(message, layout.tail, view)
  end
  if layout.array then said[#said + 1] = array_text(message, layout.array, view) end
  return concat(said, " ")
end

local OF_THE_VIEW = { VIRTIO_FEATURES = true, RING_BASE = true, RING_ADDRESS = true, CONFIG = true }

-- What the words for a payload depend on besides itself: nothing, the memory map, or more of the view.
function values.depends_on(message)
  local layout, purpose = message.layout, message.row and message.row.purpose
  if not layout then return "nothing" end
  if T.feature_lists[purpose] then return "view" end
  local depends = "nothing"
  for _, fields in ipairs({ layout.fields, layout.array and layout.array.fields or NO_NAMES, { layout.tail } }) do
    for _, field in ipairs(fields) do
      if OF_THE_VIEW[field.m] then return "view" end
      if field.m == "USER_ADDRESS" then depends = "memory" end
    end
  end
  return depends
end

return values
