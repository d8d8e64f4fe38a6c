-- A message or an event in a few words: the info column. What stands here is what `vudissect show` prints.

local format, concat = string.format, table.concat
local decimal, address, size_text, part = numbers.decimal, numbers.address, numbers.size, numbers.part
local has_bit, printable = numbers.has_bit, words.printable

local text = {}

local MOST_BYTES, MALFORMED_BYTES = 16, 32
local RING_PACKED = T.features.numbers.RING_PACKED
local UNSAID = { PADDING = true, POINTER = true, COUNT = true, SECRET = true, LEFTOVER = true }
local HEXADECIMAL = { GUEST_ADDRESS = true, IOVA = true, OFFSET = true, HEX = true }

-- Words of bits --------------------------------------------------------------------------------------------------

-- The names of the bits that are set in a word, as a list; `named` are tables of {bit = name}, asked in order.
local function bit_names(lo, hi, ...)
  local found, tables = {}, { ... }
  for bit = 0, 63 do
    if has_bit(lo, hi, bit) then
      local called
      for _, named in ipairs(tables) do called = called or named[bit] end
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

local function device_names(view) return view.device and view.device.names or NO_NAMES end

for _, device in ipairs(T.devices) do
  device.names = {}
  for bit, named in pairs(T.words[device.features]) do
    if bit ~= "unnamed" then device.names[bit] = named[1] end
  end
end

-- Bits that a field names, as {bit = name}.
local word_names = {}
local function names_of(field)
  local names = word_names[field.w]
  if not names then
    names = {}
    for bit, named in pairs(T.words[field.w]) do
      if bit ~= "unnamed" then names[bit] = named[1] end
    end
    word_names[field.w] = names
  end
  return names
end

-- Fields -----------------------------------------------------------------------------------------------------------

-- Bytes as text: MAC, UUID, text, else hexadecimal.
function text.bytes(meaning, s)
  if meaning == "MAC" then return (numbers.hex_bytes(s, #s):gsub(" ", ":")) end
  if meaning == "UUID" and #s == 16 then
    return (numbers.plain_hex(s):gsub("^(........)(....)(....)(....)", "%1-%2-%3-%4-"))
  end
  if meaning == "TEXT" then return words.unpadded(s) end
  return numbers.plain_hex(s)
end

local function number_text(field, order, s, at)
  local lo, hi = numbers.read(order, s, at, field.z)
  if field.signed then
    local negative
    lo, hi, negative = numbers.signed(lo, hi, field.z)
    if negative then return "-", lo, hi end
  end
  return "", lo, hi
end

local function place_text(region, lo, hi) return format("region%d+%s", region.number, numbers.hex(lo, hi)) end

local SPECIAL = {}

function SPECIAL.RING(_, lo, hi) return "ring " .. decimal(lo, hi) end
function SPECIAL.RING_BASE(_, lo, hi, view)
  local acked = view.acked
  if not acked or not has_bit(acked[1], acked[2], RING_PACKED) then return "base " .. decimal(lo, hi) end
  return format("avail %d wrap %d used %d wrap %d", lo % 32768, part(lo, 0, 15, 1), part(lo, 0, 16, 15), (part(lo, 0, 31, 1)))
end
function SPECIAL.RING_ADDRESS(field, lo, hi, view)
  local region, offset_lo, offset_hi = session.ring_place(view, lo, hi)
  return field.n .. " " .. (region and place_text(region, offset_lo, offset_hi) or address(lo, hi))
end
function SPECIAL.USER_ADDRESS(field, lo, hi, view)
  local region, offset_lo, offset_hi = session.place(view, lo, hi, false)
  return field.n .. " " .. (region and place_text(region, offset_lo, offset_hi) or address(lo, hi))
end
function SPECIAL.STATUS_CODE(_, lo, hi)
  if lo == 0 and hi == 0 then return "ok" end
  return format("FAILED (%s)", decimal(lo, hi))
end

local function parts_text(field, lo, hi)
  local said = {}
  for _, each in ipairs(field.p) do
    local part_lo, part_hi = part(lo, hi, each.low, each.width)
    local is_zero = part_lo == 0 and part_hi == 0
    if each.m == "RING" then
      said[#said + 1] = "ring " .. decimal(part_lo, part_hi)
    elseif each.m == "STATUS_CODE" then
      said[#said + 1] = is_zero and "ok" or format("FAILED (%s)", decimal(part_lo, part_hi))
    elseif not is_zero then
      said[#said + 1] = each.width == 1 and each.n or each.n .. " " .. numbers.hex(part_lo, part_hi)
    end
  end
  return concat(said, " ")
end

local function word_text(field, lo, hi, view, purpose)
  if field.m == "VIRTIO_FEATURES" then
    local own, shared = device_names(view), T.features.names
    if purpose ~= "ACK_FEATURES" or not view.offered then return all_names(bit_names(lo, hi, own, shared)) end
    return difference({ lo, hi }, view.offered, own, shared)
  end
  local names = names_of(field)
  if purpose == "OFFER_PROTOCOL_FEATURES" or purpose == "ACK_PROTOCOL_FEATURES" then
    if purpose ~= "ACK_PROTOCOL_FEATURES" or not view.protocol_offered then
      return all_names(bit_names(lo, hi, names))
    end
    return difference({ lo, hi }, view.protocol_offered, names)
  end
  local set = concat(bit_names(lo, hi, names), "|")
  return field.n .. " " .. (set ~= "" and set or "0")
end

-- A field whose first byte is at a position.
local function field_text(field, order, s, at, view, purpose)
  local meaning = field.m
  if field.raw then
    local contents = s:sub(at, at + field.z - 1)
    if meaning == "PIXELS" then return field.n .. " " .. size_text(#contents, 0) end
    if meaning == "BYTES" then return field.n .. " " .. numbers.hex_bytes(contents, MOST_BYTES) end
    return field.n .. " " .. printable(text.bytes(meaning, contents))
  end
  local sign, lo, hi = number_text(field, order, s, at)
  if field.p then return parts_text(field, lo, hi) end
  if field.w then return word_text(field, lo, hi, view, purpose) end
  if meaning == "NUMBER" then return field.n .. " " .. sign .. decimal(lo, hi) end
  if meaning == "SIZE" then return field.n .. " " .. size_text(lo, hi) end
  if HEXADECIMAL[meaning] then return field.n .. " " .. sign .. address(lo, hi) end
  if field.c then
    local called = hi == 0 and T.choices[field.c][lo]
    return called or field.n .. " " .. decimal(lo, hi)
  end
  local special = SPECIAL[meaning]
  if special then return special(field, lo, hi, view) end
  return field.n .. " " .. decimal(lo, hi)
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
    return numbers.read(order, s, at + field.o, field.z)
  end
  local offset_lo, offset_hi = halves("OFFSET")
  local told = format("%s+%s at %s", address(halves("GUEST_ADDRESS")), size_text(halves("SIZE")), address(halves("USER_ADDRESS")))
  if offset_lo == 0 and offset_hi == 0 then return told end
  return told .. " file+" .. numbers.hex(offset_lo, offset_hi)
end

local function is_blank(fields, order, s, at)
  for _, field in ipairs(fields) do
    if field.raw then return false end
    local lo, hi = numbers.read(order, s, at + field.o, field.z)
    if lo ~= 0 or hi ~= 0 then return false end
  end
  return true
end

local function fields_text(fields, order, s, at, view, purpose, said)
  -- What the whole is about goes first.
  for _, field in ipairs(fields) do
    if field.m == "KIND" then said[#said + 1] = field_text(field, order, s, at + field.o, view, purpose) end
  end
  for _, field in ipairs(fields) do
    if field.m ~= "KIND" and not UNSAID[field.m] then
      said[#said + 1] = field_text(field, order, s, at + field.o, view, purpose)
    end
  end
end

local function array_text(message, array, view)
  local singular, said = array.name:gsub("s$", ""), {}
  local at = decode.HEADER + 1 + message.layout.fixed
  for place = 0, message.count - 1 do
    if array.is_region then
      said[#said + 1] = format("%s%d %s", singular, place, region_text(array.fields, message.order, message.data, at))
    elseif not is_blank(array.fields, message.order, message.data, at) then
      local entry = {}
      fields_text(array.fields, message.order, message.data, at, view, "NONE", entry)
      said[#said + 1] = format("%s%d %s", singular, place, concat(entry, " "))
    end
    at = at + array.size
  end
  return #said > 0 and concat(said, ", ") or "no " .. array.name
end

-- Configuration spaces -------------------------------------------------------------------------------------------------

-- Fields of a configuration space that are not zero, and in any case the first, as far as the bytes go. It is
-- little-endian on every machine.
local function config_text(device, s)
  local said, place = {}, 0
  for _, field in ipairs(device.fields or NO_NAMES) do
    if field.o + field.z > #s then break end
    if field.m ~= "PADDING" then
      local value, is_zero
      if field.raw then
        value = text.bytes(field.m, s:sub(field.o + 1, field.o + field.z))
        is_zero = value == ""
      else
        local sign, lo, hi = number_text(field, numbers.little, s, field.o + 1)
        value, is_zero = sign .. decimal(lo, hi), lo == 0 and hi == 0
      end
      if not is_zero or place == 0 then said[#said + 1] = field.n .. " " .. printable(value) end
      place = place + 1
    end
  end
  return concat(said, " ")
end

-- The bytes behind the fixed fields, as far as they are there.
function text.tail(message)
  local start = decode.HEADER + 1 + message.layout.fixed
  return message.data:sub(start, decode.HEADER + message.there)
end

local function tail_text(message, tail, view)
  local contents = text.tail(message)
  if tail.m == "CONFIG" then
    if view.device then return view.device.name .. ": " .. config_text(view.device, contents) end
    return numbers.hex_bytes(contents, MOST_BYTES)
  end
  if tail.m == "PIXELS" then return tail.n .. " " .. size_text(#contents, 0) end
  return tail.n .. " " .. numbers.hex_bytes(contents, MOST_BYTES)
end

-- Messages -------------------------------------------------------------------------------------------------------------

local function contents(message, view)
  local layout, purpose = message.layout, message.row.purpose
  if not message.is_reply and layout.is_region then
    return region_text(layout.fields, message.order, message.data, decode.HEADER + 1)
  end
  local said = {}
  fields_text(layout.fields, message.order, message.data, decode.HEADER + 1, view, purpose, said)
  -- A request to read carries room for the contents; what is in it means nothing.
  if layout.tail and (message.is_reply or purpose ~= "READ_CONFIG") and not UNSAID[layout.tail.m] then
    said[#said + 1] = tail_text(message, layout.tail, view)
  end
  if layout.array then said[#said + 1] = array_text(message, layout.array, view) end
  return concat(said, " ")
end

local STATEFUL = {
  VIRTIO_FEATURES = true, RING_BASE = true, RING_ADDRESS = true, USER_ADDRESS = true, CONFIG = true,
}

-- Whether the words for a payload are the same whatever was said before.
local function is_stateless(message)
  local layout, purpose = message.layout, message.row and message.row.purpose
  if not layout then return true end
  if purpose == "OFFER_PROTOCOL_FEATURES" or purpose == "ACK_PROTOCOL_FEATURES" then return false end
  for _, field in ipairs(layout.fields) do
    if STATEFUL[field.m] then return false end
  end
  for _, field in ipairs(layout.array and layout.array.fields or NO_NAMES) do
    if STATEFUL[field.m] then return false end
  end
  return not (layout.tail and STATEFUL[layout.tail.m])
end

-- What all appearances of a message have in common.
local function beginning(message, view)
  local told = message.is_reply and message.name .. " ->" or message.name
  if message.layout then
    local said = contents(message, view)
    if said ~= "" then told = told .. " " .. said end
    if message.layout.deviation then told = told .. " (" .. message.layout.name .. ")" end
  end
  if message.problem then
    told = told .. " MALFORMED, " .. message.problem .. ":"
      .. " " .. numbers.hex_bytes(message.data, MALFORMED_BYTES)
  end
  if is_stateless(message) then message.body = told end
  return told
end

local KINDS = {
  [0] = "unknown", "memfd", "file", "eventfd", "socket", "pipe", "userfaultfd", "pidfd", "dmabuf", "device", "anon",
  "directory",
}
text.KINDS = KINDS

local function descriptor_text(named, descriptor, frame)
  if named.first ~= frame then return named.name end
  if descriptor.kind == 3 then return "+" .. named.name end
  local what
  if descriptor.kind == 4 then
    local kind = descriptor.name:match("%] (.*)$")
    what = printable(kind and kind ~= "" and kind or "socket")
  elseif descriptor.kind == 1 or descriptor.kind == 2 then
    local short = printable((descriptor.name:gsub(" %(deleted%)$", ""):gsub("^/memfd:", "")))
    what = KINDS[descriptor.kind] .. (short ~= "" and " " .. short or "") .. " "
      .. size_text(descriptor.size_lo, descriptor.size_hi)
    if descriptor.page_hi > 0 or descriptor.page_lo > 4096 then
      what = what .. " pages " .. size_text(descriptor.page_lo, descriptor.page_hi)
    end
  else
    what = KINDS[descriptor.kind]
  end
  return format("+%s (%s)", named.name, what)
end

local SAID_OF_MARKS = {
  { 0, "DESCRIPTORS LOST" }, { 1, "CUT SHORT" }, { 2, "NOT FORWARDED" }, { 6, "descriptors not on the first byte" },
}

local function marks_text(marks)
  local said = {}
  for _, mark in ipairs(SAID_OF_MARKS) do
    if has_bit(marks, 0, mark[1]) then said[#said + 1] = mark[2] end
  end
  return #said > 0 and " " .. concat(said, ", ") or ""
end

-- The message of a frame that was taken in before.
function text.message(message, frame, this, view)
  local told = message.text
  if message.view ~= view then
    -- A view is that of one connection: its name can go along.
    told = message.body or beginning(message, view)
    if this.connection > 1 then told = session.prefix(this.connection) .. told end
    message.view, message.text = view, told
  end
  if this.count > 0 then
    local carried = session.carried[frame]
    for place, descriptor in ipairs(this.descriptors) do
      told = told .. " " .. descriptor_text(carried[place], descriptor, frame)
    end
  end
  local replaced = session.replaced[frame]
  if replaced then told = told .. " (was " .. replaced .. ")" end
  if message.need_reply and not message.is_reply and message.channel ~= 2 then told = told .. " need_reply" end
  if not this.is_usual then told = told .. marks_text(this.marks) end
  if message.is_reply then
    local request = session.peer[frame]
    if not request then return told .. " [answers nothing that was asked]" end
    return format("%s [#%d +%s]", told, request, numbers.duration(session.latency[frame]))
  end
  return told
end

-- Events -------------------------------------------------------------------------------------------------------------

local function peer(details, side)
  local command, pid = details[side .. "_command"], details[side .. "_pid"]
  if not command or command == "" then command = "?" end
  if pid and pid ~= "0" and pid ~= "" then return format("%s (pid %s)", command, pid) end
  return command
end

local function how(details)
  if details.how and details.how ~= "" then return " (" .. details.how .. ")" end
  return ""
end

local CHANNELS = { [0] = "main", "backend", "gpu" }
text.CHANNELS = CHANNELS

local EVENTS = {
  [2] = function(this, details)
    return format("connection %s: front-end %s, back-end %s", decimal(this.connection, 0), peer(details, "front_end"),
      peer(details, "back_end"))
  end,
  [3] = function(this, details)
    return format("connection %s closed by the %s%s", decimal(this.connection, 0), details.by or "?", how(details))
  end,
  [4] = function(this) return format("%s channel opened", CHANNELS[this.channel]) end,
  [5] = function(this, details)
    return format("%s channel closed by the %s%s", CHANNELS[this.channel], details.by or "?", how(details))
  end,
  [6] = function(_, details)
    return format("%s messages are missing here: %s", details.messages or "?", details.reason or "?")
  end,
  [7] = function(_, details) return details.text or "" end,
}

-- What the proxy noted; `details` by key.
function text.event(this, details)
  local told = printable(EVENTS[this.kind](this, details))
  if this.connection > 1 then return session.prefix(this.connection) .. told end
  return told
end

return text
