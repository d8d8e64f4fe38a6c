-- The detail tree: every field of record, descriptors and message, each a field that can be filtered by.

local format = string.format
local F = fields.by_name
local numbers_part, printable = numbers.part, words.printable

local tree = {}

-- Positions in `s` count from 1, those in the packet from 0.
local function range(tvb, at, size) return tvb(at - 1, size) end

local function put(item, field, tvb, at, size, is_big)
  if is_big then return item:add(field, range(tvb, at, size)) end
  return item:add_le(field, range(tvb, at, size))
end

local function kind_of(name) return tables.fields[name][3] end

local function whole(kind, lo, hi)
  if kind == "uint64" then return UInt64(lo, hi) end
  if kind == "int64" then return Int64(lo, hi) end
  return lo
end

-- The record in front of the message -------------------------------------------------------------------------------

local MARKS = {}
for _, row in ipairs(T.fields) do
  if row[1]:find("^marks%.") then MARKS[#MARKS + 1] = row[1] end
end

local SEALS = {}
for _, row in ipairs(T.fields) do
  if row[1]:find("^fd%.seals%.") then SEALS[#SEALS + 1] = row[1] end
end

function tree.record(root, tvb, this)
  local item = root:add(range(tvb, 1, this.at - 1), "Record")
  put(item, F["record.version"], tvb, 1, 1)
  put(item, F["record.kind"], tvb, 2, 1)
  put(item, F["record.header_length"], tvb, 3, 2)
  put(item, F.channel, tvb, 5, 1)
  put(item, F.sender, tvb, 6, 1)
  local marks = put(item, F.marks, tvb, 7, 2)
  for _, name in ipairs(MARKS) do put(marks, F[name], tvb, 7, 2) end
  put(item, F.connection, tvb, 9, 4)
  put(item, F.fds, tvb, 13, 2)
  put(item, F.sequence, tvb, 17, 8)
  put(item, F.received, tvb, 25, 8)
  put(item, F.forwarded, tvb, 33, 8)
  put(item, F["record.length"], tvb, 41, 8)
end

local function descriptor(root, tvb, each, named)
  local item = root:add(F.fd, range(tvb, each.at, each.length), named.name)
  item:add(F["fd.kind"], range(tvb, each.at + 2, 1), each.kind)
  local identity = each.at + record.DESCRIPTOR
  item:add(F["fd.identity"], range(tvb, identity, each.identity_length), printable(each.identity))
  item:add(F["fd.first"], named.first)
  if each.examined then
    put(item, F["fd.size"], tvb, each.at + 8, 8)
    put(item, F["fd.page_size"], tvb, each.at + 16, 8)
    local seals = put(item, F["fd.seals"], tvb, each.at + 24, 4)
    -- Bits of -1, for what cannot be sealed, are none.
    if numbers.little.u32(tvb:raw(each.at + 23, 4), 1) < 2147483648 then
      for _, name in ipairs(SEALS) do put(seals, F[name], tvb, each.at + 24, 4) end
    end
    put(item, F["fd.flags"], tvb, each.at + 28, 4)
  end
  item:add(F["fd.file"], range(tvb, identity + each.identity_length, each.name_length), printable(each.name))
end

-- Payloads ---------------------------------------------------------------------------------------------------------

local ADDRESSES = { RING_ADDRESS = views.ring_place, USER_ADDRESS = views.place }

local function add_bits(item, named, tvb, at, size, is_big, lo, hi, hidden)
  for bit = 0, size * 8 - 1 do
    local each = named[bit]
    if each and not (hidden and hidden[bit]) then
      local start, width = at, size
      if size == 8 then
        width = 4
        if (bit >= 32) ~= is_big then start = at + 4 end
      end
      put(item, F[each[2]], tvb, start, width, is_big)
    end
  end
end

local function add_unnamed(item, field, tvb, at, size, lo, hi, named, others)
  for bit = 0, size * 8 - 1 do
    if not named[bit] and not (others and others[bit]) and numbers.has_bit(lo, hi, bit) then
      item:add(F[field], range(tvb, at, size), bit)
    end
  end
end

-- A field whose first byte is at a position of the packet.
local function field(root, each, tvb, s, at, is_big, view)
  local order = is_big and numbers.big or numbers.little
  local proto_field, size = F[each.f], each.z
  if each.raw then
    if each.m == "PADDING" then
      if not s:sub(at, at + size - 1):find("[^%z]") then return end
    elseif kind_of(each.f) == "string" then
      root:add(proto_field, range(tvb, at, size), printable(words.unpadded(s:sub(at, at + size - 1))))
      return
    end
    root:add(proto_field, range(tvb, at, size))
    return
  end
  local item = put(root, proto_field, tvb, at, size, is_big)
  if not each.w and not each.p and not ADDRESSES[each.m] then return end
  local lo, hi = numbers.read(order, s, at, size)
  if each.w then
    local named = each.w
    local own = each.m == "VIRTIO_FEATURES" and view.device and view.device.features or nil
    add_bits(item, named, tvb, at, size, is_big, lo, hi, own)
    if own then add_bits(item, own, tvb, at, size, is_big, lo, hi) end
    add_unnamed(item, named.unnamed, tvb, at, size, lo, hi, named, own)
  end
  for _, part in ipairs(each.p or {}) do
    local part_lo, part_hi = numbers_part(lo, hi, part.low, part.width)
    if part.m ~= "PADDING" or part_lo ~= 0 or part_hi ~= 0 then
      item:add(F[part.f], range(tvb, at, size), whole(kind_of(part.f), part_lo, part_hi))
    end
  end
  local find_place = ADDRESSES[each.m]
  if find_place then
    local region, offset_lo, offset_hi = find_place(view, lo, hi)
    if region then item:append_text(format(" (region%d+%s)", region.number, numbers.hex(offset_lo, offset_hi))) end
  end
end

-- The bytes of a configuration space from an offset on: its fields that are there as a whole.
local function config(root, device, tvb, s, at, size, offset)
  if size == 0 then return end
  local item = root:add(range(tvb, at, size), "Configuration of " .. device.name)
  for _, each in ipairs(device.fields) do
    if each.o >= offset and each.o + each.z <= offset + size then
      field(item, each, tvb, s, at + each.o - offset, false, {})
    end
  end
end

local function key(root, each, tvb, at, this)
  local what = this.is_without_keys and "stored" or "shown"
  root:add(F[each.f], range(tvb, at, each.z)):append_text(format(" (%d bytes of key material, not %s)", each.z, what))
end

local function payload(root, tvb, s, start, message, view, this)
  local layout, is_big = message.layout, message.is_big
  local item = root:add(range(tvb, start, message.there), "Payload: " .. layout.title)
  for _, each in ipairs(layout.fields) do
    if each.m == "SECRET" then
      key(item, each, tvb, start + each.o, this)
    else
      field(item, each, tvb, s, start + each.o, is_big, view)
    end
  end
  local at = start + layout.fixed
  local array, tail = layout.array, layout.tail
  if array then
    local singular = array.name:gsub("s$", "")
    for place = 0, message.count - 1 do
      local entry = item:add(range(tvb, at, array.size), format("%s%d", singular, place))
      for _, each in ipairs(array.fields) do field(entry, each, tvb, s, at + each.o, is_big, view) end
      at = at + array.size
    end
  elseif tail then
    local size = message.there - layout.fixed
    if size > 0 then item:add(F[tail.f], range(tvb, at, size)) end
    local is_asked = not message.is_reply and message.row.purpose == "READ_CONFIG"
    if tail.m == "CONFIG" and view.device and not is_asked then
      config(item, view.device, tvb, s, at, size, decode.number(message, "offset"))
    end
  end
end

-- Messages -----------------------------------------------------------------------------------------------------------

local function kind(message)
  if message.problem then return "malformed" end
  if not message.is_reply then return "request" end
  return message.layout and message.layout.ack and "ack" or "reply"
end

local function header(root, tvb, at, message)
  local item = root:add(range(tvb, at, decode.HEADER), "Header")
  local is_big = message.is_big
  put(item, F.request, tvb, at, 4, is_big)
  local flags = put(item, F.flags, tvb, at + 4, 4, is_big)
  put(flags, F["flags.version"], tvb, at + 4, 4, is_big)
  put(flags, F["flags.reply"], tvb, at + 4, 4, is_big)
  put(flags, F["flags.need_reply"], tvb, at + 4, 4, is_big)
  put(item, F.size, tvb, at + 8, 4, is_big)
end

local function add_seconds(root, nanoseconds)
  local sign = nanoseconds < 0 and -1 or 1
  local seconds = math.floor(nanoseconds * sign / 1000000000)
  local rest = nanoseconds * sign - seconds * 1000000000
  root:add(F.response_time, NSTime(sign * seconds, sign * rest)):set_generated()
end

local function findings(root, frame)
  for _, found in ipairs(session.findings[frame] or {}) do
    local item = root:add(F.rule, found.rule)
    item:set_generated()
    item:add(F["rule.finding"], printable(found.text)):set_generated()
    item:add_proto_expert_info(fields.experts[found.rule], found.rule .. ": " .. printable(found.text))
  end
end

function tree.has_expert_info(message, frame)
  return message.problem or session.lost[frame] or session.findings[frame]
end

-- `is_seen`: all frames were seen before.
function tree.message(root, tvb, s, this, message, frame, view, is_seen)
  tree.record(root, tvb, this)
  for place, each in ipairs(this.descriptors) do descriptor(root, tvb, each, session.carried[frame][place]) end
  root:add(F.dialect, session.dialect.key):set_generated()
  if view.device then
    local item = root:add(F.device, view.device.name)
    item:set_generated()
    if view.is_guess then item:append_text(" (guessed)") end
  end
  root:add(F.kind, kind(message)):set_generated()
  root:add(F.message, printable(message.name)):set_generated()
  local at = this.at
  if #message.data >= decode.HEADER then
    header(root, tvb, at, message)
    at = at + decode.HEADER
  end
  if message.layout then
    root:add(F.form, message.layout.title):set_generated()
    payload(root, tvb, s, at, message, view, this)
  elseif #s >= at then
    root:add(F.payload, range(tvb, at, #s - at + 1))
  end
  if message.problem then
    local item = root:add(F.problem, message.problem)
    item:set_generated()
    item:add_proto_expert_info(fields.malformed, message.problem)
  end
  local replaced, peer = session.replaced[frame], session.peer[frame]
  if replaced then root:add(F["fd.replaced"], replaced):set_generated() end
  if peer and message.is_reply then
    root:add(F.response_to, peer):set_generated()
    local latency = session.latency[frame]
    if latency then add_seconds(root, latency) end
    if session.late[frame] then root:add(F.response_late, true):set_generated() end
  elseif peer then
    root:add(F.response_in, peer):set_generated()
  end
  local missing = session.lost[frame] and "never answered"
    or (is_seen and session.is_open(this.connection, message.channel, frame) and "not answered by the end of the capture")
  if missing then
    local item = root:add(F.unanswered, true, missing)
    item:set_generated()
    item:add_proto_expert_info(fields.unanswered, missing)
  end
  findings(root, frame)
end

-- Events -------------------------------------------------------------------------------------------------------------

local KINDS = tables.fields["record.kind"].choices

function tree.event(root, tvb, s, this, details, frame)
  tree.record(root, tvb, this)
  root:add(F.kind, "event"):set_generated()
  root:add(F.message, KINDS[this.kind]):set_generated()
  local size = #s - this.at + 1
  local item = size > 0 and root:add(range(tvb, this.at, size), "Details") or root
  for _, each in ipairs(details) do
    local own = F["event." .. each.key]
    if own and each.text and T.text_details[each.key] then
      item:add(own, printable(each.text))
    elseif own and each.number and #each.number < 16 and T.number_details[each.key] then
      local value = tonumber(each.number)
      item:add(own, Int64.new(value))
    else
      item:add(F["event.other"], printable(each.key .. ": " .. (each.text or each.number)))
    end
  end
  for _, request in ipairs(session.left[frame] or {}) do
    local left = root:add(F["unanswered.request"], request.frame)
    left:set_generated()
    left:append_text(" " .. request.message.name)
    left:add_proto_expert_info(fields.unanswered, format("%s (#%d) was never answered", request.message.name, request.frame))
  end
end

function tree.damaged(root, problem)
  local item = root:add(F.problem, problem)
  item:add_proto_expert_info(fields.malformed, problem)
end

return tree
