-- The record in front of each message: docs/capture-format.md. Positions count from 1.

local byte, sub = string.byte, string.sub
local little = numbers.little

local record = {}

local HEADER = 48
local DESCRIPTOR = 32
local LENGTH = 41 -- where it says how long the message was; it comes last, before the message

record.DESCRIPTOR = DESCRIPTOR

local NO_DESCRIPTORS = {}
local has_bit = numbers.has_bit
local LOST, NOT_FORWARDED, BIG_ENDIAN, LATE, KEYS_MASKED, EARLIER, INJECTED, WITHHELD = 0, 2, 5, 6, 7, 8, 10, 11
local ONLY_BIG_ENDIAN = 2 ^ BIG_ENDIAN

-- Records without descriptors that agree in all but sequence, times and length have one description, so that the many
-- of one connection are not parsed again and again.
local SHAPE, MOST_SHAPES = 16, 1024
local shapes, shape_count = {}, 0

-- The messages of such records that were decoded, by their bytes: one table for all shapes that differ in nothing but
-- the connection, so that equal messages are decoded once. A table has tables for the first bytes, as many as Lua keeps
-- only once of equal strings: longer ones are made for each look-up.
local messages, way_count, message_count = {}, 0, 0
local MOST_WAYS, MOST_MESSAGES = 64, 4096
local CONNECTION, AFTER_CONNECTION = 9, 13
local REST = LENGTH + 40

local function remember(shape, this)
  if shape_count >= MOST_SHAPES then shapes, shape_count = {}, 0 end
  shapes[shape], shape_count = this, shape_count + 1
  local way = shape:sub(1, CONNECTION - 1) .. shape:sub(AFTER_CONNECTION)
  if not messages[way] then
    if way_count >= MOST_WAYS then messages, way_count, message_count = {}, 0, 0 end
    messages[way], way_count = {}, way_count + 1
  end
  this.messages = messages[way]
end

-- Forget all messages; for another dialect they are others.
function record.forget()
  for _, of_way in pairs(messages) do
    for bytes in pairs(of_way) do of_way[bytes] = nil end
  end
  message_count = 0
end

-- The record of `s` and its message, as far as they are known.
function record.known(s)
  local this = shapes[sub(s, 1, SHAPE)]
  if not this then return nil end
  local beginning_alike = this.messages[sub(s, LENGTH, REST - 1)]
  return this, beginning_alike and beginning_alike[sub(s, REST)]
end

-- Keep the message of a record.
function record.keep(s, this, message)
  if not this.messages then return end
  if message_count >= MOST_MESSAGES then record.forget() end
  local beginning = sub(s, LENGTH, REST - 1)
  local beginning_alike = this.messages[beginning] or {}
  this.messages[beginning] = beginning_alike
  beginning_alike[sub(s, REST)], message_count = message, message_count + 1
end

-- Connections and channels may be others from here on: the records that know theirs are forgotten.
function record.renew() shapes, shape_count = {}, 0 end

-- The record that `s` begins with; nil and what is wrong where it is damaged. `at` is where message or details begin.
-- Nothing of it is changed by others, but that a record without descriptors may know its `connection_state`.
function record.parse(s)
  local shape = sub(s, 1, SHAPE)
  local known = shapes[shape]
  if known and #s >= known.at - 1 then return known end
  local version, kind, length_low, length_high, channel, sender, marks_low, marks_high, c1, c2, c3, c4, n1, n2 =
    byte(s, 1, 14)
  if not version then return nil, "the record header is missing" end
  if version > 1 then return nil, "this is a record of a later version: update the plugin" end
  if #s < HEADER then return nil, "the record header is cut short" end
  local length = length_low + length_high * 256
  if version == 0 or length < HEADER then return nil, "the record header makes no sense" end
  if channel > 2 or sender > 2 then return nil, "the channel or the sender does not exist" end
  local marks = marks_low + marks_high * 256
  local this = {
    kind = kind,
    channel = channel,
    sender = sender,
    marks = marks,
    count = n1 + n2 * 256,
    connection = c1 + c2 * 256 + c3 * 65536 + c4 * 16777216,
    descriptors = NO_DESCRIPTORS,
    at = length + 1,
    is_big = has_bit(marks, 0, BIG_ENDIAN),
    is_lost = has_bit(marks, 0, LOST),
    is_late = has_bit(marks, 0, LATE),
    is_not_forwarded = has_bit(marks, 0, NOT_FORWARDED),
    is_without_keys = has_bit(marks, 0, KEYS_MASKED),
    is_earlier = has_bit(marks, 0, EARLIER),
    is_injected = has_bit(marks, 0, INJECTED),
    is_withheld = has_bit(marks, 0, WITHHELD),
    is_usual = marks == 0,
    is_plain = n1 + n2 == 0 and (marks == 0 or marks == ONLY_BIG_ENDIAN),
  }
  if this.count > 0 then
    local problem = record.descriptors(s, this)
    if problem then return nil, problem end
  elseif #s < length then
    return nil, "the record header is cut short"
  else
    remember(shape, this)
  end
  return this
end

-- Reads the descriptors of a record; what is wrong with them, or nil.
function record.descriptors(s, this)
  local found, at = {}, this.at
  for place = 1, this.count do
    if #s < at + DESCRIPTOR - 1 then return "the descriptors are cut short" end
    local length = little.u16(s, at)
    local identity_length, name_length = byte(s, at + 3), little.u16(s, at + 4)
    local identity = at + DESCRIPTOR
    local name = identity + identity_length
    if name + name_length > at + length or #s < at + length - 1 then return "the descriptors are cut short" end
    local size_lo, size_hi = little.u64(s, at + 8)
    local page_lo, page_hi = little.u64(s, at + 16)
    local kind = byte(s, at + 2)
    found[place] = {
      at = at,
      length = length,
      kind = kind <= 11 and kind or 0,
      identity = words.utf8(s:sub(identity, name - 1)),
      identity_length = identity_length,
      size_lo = size_lo,
      size_hi = size_hi,
      page_lo = page_lo,
      page_hi = page_hi,
      seals = little.u32(s, at + 24),
      examined = little.u32(s, at + 28) < 2147483648,
      name = words.utf8(s:sub(name, name + name_length - 1)),
      name_length = name_length,
    }
    at = at + length
  end
  this.descriptors, this.at = found, at
  return nil
end

-- How much later than a request was forwarded its answer was received; both as bytes. Exact to 2^53; nil if the source
-- of the capture has no times.
function record.latency(request, answer)
  local a, b, c, d, e, f, g, h = byte(answer, 25, 32)
  if a + b + c + d + e + f + g + h == 0 then return nil end
  local i, j, k, l, m, n, o, p = byte(request, 33, 40)
  return (a - i) + (b - j) * 256 + (c - k) * 65536 + (d - l) * 16777216
    + ((e - m) + (f - n) * 256 + (g - o) * 65536 + (h - p) * 16777216) * 4294967296
end

-- When it was received and when forwarded, as halves.
function record.received(s) return little.u64(s, 25) end
function record.forwarded(s) return little.u64(s, 33) end
-- How long the message was on the wire, as halves.
function record.length(s) return little.u64(s, LENGTH) end

return record
