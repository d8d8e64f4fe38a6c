-- The record in front of each message: docs/capture-format.md. Positions count from 1.

local byte = string.byte
local little = numbers.little

local record = {}

local HEADER = 48
local DESCRIPTOR = 32

record.DESCRIPTOR = DESCRIPTOR

local NO_DESCRIPTORS = {}
local has_bit = numbers.has_bit
local LOST, BIG_ENDIAN, LATE, KEYS_MASKED = 0, 5, 6, 7

-- Records without descriptors that agree in all but sequence, times and length have one description, so that the many
-- of one connection are not parsed again and again.
local SHAPE, MOST_SHAPES = 16, 1024
local shapes, shape_count = {}, 0

local function remember(shape, this)
  if shape_count >= MOST_SHAPES then shapes, shape_count = {}, 0 end
  shapes[shape], shape_count = this, shape_count + 1
end

-- The record that `s` begins with; nil and what is wrong where it is damaged. `at` is where message or details begin.
-- Nothing of it is changed by others.
function record.parse(s)
  local shape = s:sub(1, SHAPE)
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
    is_without_keys = has_bit(marks, 0, KEYS_MASKED),
    is_usual = marks == 0,
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
      name = words.utf8(s:sub(name, name + name_length - 1)),
      name_length = name_length,
    }
    at = at + length
  end
  this.descriptors, this.at = found, at
  return nil
end

-- When it was received and when forwarded, as halves.
function record.received(s) return little.u64(s, 25) end
function record.forwarded(s) return little.u64(s, 33) end
-- How long the message was on the wire, as halves, and as the bytes that say so.
function record.length(s) return little.u64(s, 41) end
function record.length_bytes(s) return s:sub(41, 48) end

return record
