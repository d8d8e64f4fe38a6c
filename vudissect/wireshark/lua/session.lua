-- What an exchange means: which reply belongs to which request, what is negotiated, where memory is, what descriptors
-- are called. Each frame is taken in once, in order; what the tree and the info column need of it later is kept here.

local floor = math.floor
local number, find, value = decode.number, decode.find, decode.value

local session = {}

-- Nobody has as many; a hostile peer must not fill the memory.
local MOST_WAITING, MOST_KNOWN, MOST_RINGS, MOST_REGIONS = 4096, 65536, 1024, 1024
local MAIN = 0

local PREFIXES = { "mem", "mem", "evt", "sock", "pipe", "uffd", "pidfd", "dmabuf", "dev" }
local PROTOCOL_FEATURES = T.features.numbers.PROTOCOL_FEATURES
local ACCESS_PLATFORM = T.features.numbers.ACCESS_PLATFORM

local connections, histories, names, counts, known_order, known_first

-- Forget everything: another file, or the same one anew.
function session.reset(dialect, device)
  session.dialect, session.device = dialect, device
  connections, histories, names, counts = {}, {}, {}, {}
  known_order, known_first = {}, 1
  session.peer = {} -- frame of a reply to that of its request, and back
  session.latency = {} -- of a reply
  session.carried = {} -- names of the descriptors of a frame
  session.replaced = {} -- name of the descriptor that a frame puts out of use
  session.lost = {} -- requests that will never be answered
  session.left = {} -- frames of such requests, by the frame where that became clear
  session.findings = {}
end

-- Descriptors --------------------------------------------------------------------------------------------------------

local function next_name(kind)
  local prefix = PREFIXES[kind] or "fd"
  counts[prefix] = (counts[prefix] or 0) + 1
  return string.format("%s#%d", prefix, counts[prefix])
end

-- The name of an open object and the frame in which it was first seen; a new one if it cannot be told apart.
local function name(descriptor, frame)
  local identity = descriptor.identity
  local known = identity ~= "" and names[identity]
  if known then return known end
  known = { name = next_name(descriptor.kind), first = frame }
  if identity ~= "" then
    if #known_order - known_first + 1 >= MOST_KNOWN then
      names[known_order[known_first]] = nil
      known_order[known_first] = nil
      known_first = known_first + 1
    end
    known_order[#known_order + 1] = identity
    names[identity] = known
  end
  return known
end

-- What the text of a message depends on is kept in a view; it is never changed, but replaced, and stays for the frames
-- that were seen with it.

local function see(connection, frame, changes)
  local view = {}
  for key, old in pairs(connection.view) do view[key] = old end
  for key, new in pairs(changes) do view[key] = new end
  connection.view = view
  local history = histories[connection.number]
  local last = #history.frames
  if history.frames[last] == frame then
    history.views[last] = view
  else
    history.frames[last + 1], history.views[last + 1] = frame, view
  end
end

-- The view that a frame was seen with.
function session.view(connection, frame)
  local history = histories[connection]
  if not history then return nil end
  local low, high = 1, #history.frames
  while low < high do
    local middle = floor((low + high + 1) / 2)
    if history.frames[middle] <= frame then low = middle else high = middle - 1 end
  end
  return history.views[low]
end

-- Connections --------------------------------------------------------------------------------------------------------

local function new_waiting() return { first = 1, last = 0, answered = {}, unasked = {}, any_answered = false } end

local function connect(of, frame)
  local connection = {
    number = of,
    view = { device = session.device, memory = {}, bits = session.dialect.bits },
    settled = session.device ~= nil,
    postcopy = "none",
    rings = {},
    ring_count = 0,
    waiting = { [0] = new_waiting(), new_waiting(), new_waiting() },
    told = {},
    asked = {},
    lost_sync = {},
    open_gates = {},
  }
  connections[of] = connection
  histories[of] = histories[of] or { frames = {}, views = {} }
  see(connection, frame, {})
  return connection
end

-- Whether a protocol feature is in force; never one that the dialect does not have.
function session.has(connection, feature)
  local bit, acked = session.dialect.bits.numbers[feature], connection.view.protocol_acked
  return bit ~= nil and acked ~= nil and numbers.has_bit(acked[1], acked[2], bit)
end

local function has_virtio(view, bit)
  return view.acked ~= nil and numbers.has_bit(view.acked[1], view.acked[2], bit)
end

-- The negotiation cannot have been missed.
function session.from_start(connection) return connection.opened and not connection.gap end

-- A protocol feature is known not to be in force.
function session.lacks(connection, feature)
  if not session.from_start(connection) and not connection.view.protocol_acked then return false end
  return not session.has(connection, feature)
end

function session.owes_reply(connection, row, need_reply)
  local answer = row.answer
  if answer == "ALWAYS" then return true end
  if answer == "NEVER" then return false end
  if answer == "ON_REQUEST" and not need_reply then return false end
  if answer == "IF_LOG_SHMFD" and session.has(connection, "LOG_SHMFD") then return true end
  if answer == "IF_POSTCOPY" and connection.postcopy == "listening" then return true end
  if answer == "IF_REPLY_ALL" and session.has(connection, "REPLY_ALL") then return true end
  return (need_reply and session.has(connection, "REPLY_ACK")) or false
end

-- Requests and replies -----------------------------------------------------------------------------------------------

local function ask(waiting, request)
  if waiting.last - waiting.first + 1 >= MOST_WAITING then
    waiting[waiting.first] = nil
    waiting.first = waiting.first + 1
  end
  local last = waiting.last + 1
  waiting.last = last
  waiting[last] = request
end

-- The oldest request of a number; requests before it that merely could have been answered will not be.
local function overtaking(waiting, id, frame)
  local place
  for at = waiting.first, waiting.last do
    if waiting[at].id == id then
      place = at
      break
    end
  end
  if not place then return nil end
  local request, kept = waiting[place], {}
  for at = waiting.first, place do
    local other = waiting[at]
    if at < place and other.owed then
      other.overtaken = other.overtaken or frame
      kept[#kept + 1] = other
    end
    waiting[at] = nil
  end
  waiting.first = place + 1 - #kept
  for at, other in ipairs(kept) do waiting[waiting.first + at - 1] = other end
  return request
end

local function answer(waiting, id, frame)
  local first = waiting.first
  local request = waiting[first]
  if request and request.id == id then
    waiting[first] = nil
    waiting.first = first + 1
  else
    request = overtaking(waiting, id, frame)
  end
  if request and request.message.row then
    request.answered_in = frame
    waiting.answered[id] = request
    waiting.any_answered = true
  end
  return request
end

-- The requests of a channel that are owed an answer, oldest first.
function session.owed(waiting)
  local owed = {}
  for at = waiting.first, waiting.last do
    if waiting[at].owed then owed[#owed + 1] = waiting[at] end
  end
  return owed
end

local function close_channel(connection, channel, frame, owed)
  for _, request in ipairs(session.owed(connection.waiting[channel])) do
    owed[#owed + 1] = request
    session.lost[request.frame] = frame
  end
  connection.waiting[channel] = new_waiting()
end

-- What messages do to a connection -----------------------------------------------------------------------------------

local function ring(connection, index)
  local known = connection.rings[index]
  if not known then
    known = {}
    if connection.ring_count < MOST_RINGS then
      connection.ring_count = connection.ring_count + 1
      connection.rings[index] = known
    end
  end
  return known
end

local function word(message) return { value(message, message.layout.by.features) } end

for _, device in ipairs(T.devices) do device.by_number = T.words[device.features] end

-- The device type with the fewest bits that has all those that are offered, if there are enough to tell.
local function guess_by_features(connection, offered)
  local own = {}
  for bit = 0, 63 do
    if (bit < 24 or bit >= 50) and numbers.has_bit(offered[1], offered[2], bit) then own[#own + 1] = bit end
  end
  if connection.settled or #own < 3 then return nil end
  local best
  for _, device in ipairs(T.devices) do
    local fitting = true
    for _, bit in ipairs(own) do
      if not device.by_number[bit] then
        fitting = false
        break
      end
    end
    if fitting and (not best or device.bits < best.bits) then best = device end
  end
  return best
end

local function region_fields(message, by, at)
  local function field(name)
    local of = by[name]
    if not of then return 0, 0 end
    return numbers.read(message.order, message.data, at + of.o, of.z)
  end
  local region = {}
  region.guest_lo, region.guest_hi = field("guest_addr")
  region.size_lo, region.size_hi = field("size")
  region.user_lo, region.user_hi = field("user_addr")
  return region
end

local function replace_memory(connection, message, frame, carried)
  local array, count = message.layout.array, number(message, "nregions")
  if not array or array.name ~= "regions" then return end
  count = math.min(count, message.count)
  if connection.postcopy == "listening" and count == 0 then return end
  local memory = {}
  for place = 1, count do
    local region = region_fields(message, array.by, decode.HEADER + 1 + message.layout.fixed + (place - 1) * array.size)
    region.number = place - 1
    region.name = carried and carried[place] and carried[place].name or ""
    memory[place] = region
  end
  see(connection, frame, { memory = memory })
end

local function add_memory(connection, message, frame, carried)
  if not message.layout.by.guest_addr then return end
  local taken, lowest = {}, 0
  local memory = {}
  for place, region in ipairs(connection.view.memory) do
    taken[region.number] = true
    memory[place] = region
  end
  while taken[lowest] do lowest = lowest + 1 end
  if lowest >= MOST_REGIONS then return end
  local region = region_fields(message, message.layout.by, decode.HEADER + 1)
  region.number = lowest
  region.name = carried and carried[1] and carried[1].name or ""
  memory[#memory + 1] = region
  see(connection, frame, { memory = memory })
end

local function remove_memory(connection, message, frame)
  local gone = region_fields(message, message.layout.by, decode.HEADER + 1)
  local memory, found = {}, nil
  for _, region in ipairs(connection.view.memory) do
    if not found and region.guest_lo == gone.guest_lo and region.guest_hi == gone.guest_hi
      and region.size_lo == gone.size_lo and region.size_hi == gone.size_hi
      and region.user_lo == gone.user_lo and region.user_hi == gone.user_hi then
      found = region
    else
      memory[#memory + 1] = region
    end
  end
  if not found then return nil end
  see(connection, frame, { memory = memory })
  return found.name
end

local function set_ring_descriptor(slot)
  return function(connection, message, _, carried)
    local slots = ring(connection, find(message, "index"))
    local old, new = slots[slot] or "", carried and carried[1] and carried[1].name or ""
    slots[slot] = new
    if old ~= new and old ~= "" then return old end
    return nil
  end
end

local function postcopy(after)
  return function(connection) connection.postcopy = after end
end

-- By purpose; what they give back is the name of a descriptor that is out of use now.
local ON_REQUEST = {
  ACK_FEATURES = function(connection, message, frame)
    connection.acked_in = frame
    see(connection, frame, { acked = word(message) })
  end,
  ACK_PROTOCOL_FEATURES = function(connection, message, frame) see(connection, frame, { protocol_acked = word(message) }) end,
  REPLACE_MEMORY = replace_memory,
  ADD_MEMORY = add_memory,
  REMOVE_MEMORY = remove_memory,
  SET_KICK = set_ring_descriptor("kick"),
  SET_CALL = set_ring_descriptor("call"),
  SET_ERR = set_ring_descriptor("err"),
  ADVISE_POSTCOPY = postcopy("advised"),
  START_POSTCOPY = postcopy("listening"),
  END_POSTCOPY = postcopy("ended"),
}

local ON_REPLY = {
  OFFER_FEATURES = function(connection, message, frame)
    local offered = word(message)
    local changes = { offered = offered }
    changes.device = guess_by_features(connection, offered)
    see(connection, frame, changes)
  end,
  OFFER_PROTOCOL_FEATURES = function(connection, message, frame)
    see(connection, frame, { protocol_offered = word(message) })
  end,
  READ_CONFIG = function(connection, message, frame)
    if number(message, "offset") ~= 0 or connection.settled then return end
    local device = T.devices[T.config_sizes[number(message, "size")]]
    if device then
      connection.settled = true
      see(connection, frame, { device = device })
    end
  end,
}

-- Whether the front-end only takes note of the addresses that it got; nobody answers that.
local function ends_postcopy_exchange(connection, message)
  local layout = message.layout
  if not layout or connection.postcopy ~= "listening" then return false end
  return layout.bare or (layout.array ~= nil and message.count == 0)
end

-- Frames -------------------------------------------------------------------------------------------------------------

-- How the info column names a connection but the first.
local latest_prefix, latest_number = "", 0
function session.prefix(of)
  if of ~= latest_number then latest_prefix, latest_number = string.format("c%d ", of), of end
  return latest_prefix
end

-- The connection of a frame, which becomes known by being named.
function session.connection(of, frame) return connections[of] or connect(of, frame) end

-- Take in a message. `request` is set on the connection to what a reply answers.
function session.message(connection, frame, message, this, s)
  local row, carried, replaced = message.row, nil, nil
  if this.count > 0 then
    carried = {}
    for place, descriptor in ipairs(this.descriptors) do carried[place] = name(descriptor, frame) end
    session.carried[frame] = carried
  end
  if message.is_reply then
    local request = answer(connection.waiting[message.channel], message.id, frame)
    connection.request = request
    if request then
      local lo, hi = record.received(s)
      session.peer[frame], session.peer[request.frame] = request.frame, frame
      session.latency[frame] = numbers.difference(lo, hi, request.lo, request.hi)
    end
    local apply = row and message.layout and ON_REPLY[row.purpose]
    if apply and not message.is_error then apply(connection, message, frame, carried) end
    return
  end
  local owed = false
  if row then
    owed = session.owes_reply(connection, row, message.need_reply)
    if owed and row.answer == "IF_POSTCOPY" and ends_postcopy_exchange(connection, message) then owed = false end
    local apply = message.layout and ON_REQUEST[row.purpose]
    if apply then replaced = apply(connection, message, frame, carried) end
  end
  if replaced and replaced ~= "" then session.replaced[frame] = replaced end
  local waiting = connection.waiting[message.channel]
  if owed or not row or message.need_reply then
    local lo, hi = record.forwarded(s)
    ask(waiting, {
      frame = frame, id = message.id, message = message, owed = owed, lo = lo, hi = hi,
    })
  else
    waiting.unasked[message.id] = frame
  end
end

-- Take in what the proxy noted; `details` by key. Gives the requests that will now never get their answer.
function session.event(connection, frame, this, details)
  local owed = {}
  if this.kind == 2 then
    connection.opened = true
    local command = details.back_end_command
    local device = command and not connection.settled and T.devices[T.programs[command]]
    if device then
      connection.settled = true
      see(connection, frame, { device = device })
    end
  elseif this.kind == 3 then
    for channel = 0, 2 do close_channel(connection, channel, frame, owed) end
    connections[connection.number] = nil
  elseif this.kind == 5 then
    close_channel(connection, this.channel, frame, owed)
  elseif this.kind == 6 then
    local missed = this.connection > 0 and { connection } or connections
    for _, each in pairs(missed) do
      each.gap = true
      each.waiting = { [0] = new_waiting(), new_waiting(), new_waiting() }
    end
  end
  if #owed > 0 then session.left[frame] = owed end
  return owed
end

-- Where an address lies: region and offset (as halves); nil outside of all regions.
function session.place(view, lo, hi, by_guest)
  local best
  for _, region in ipairs(view.memory) do
    local start_lo, start_hi = region.user_lo, region.user_hi
    if by_guest then start_lo, start_hi = region.guest_lo, region.guest_hi end
    -- The last one that begins at or below the address, as a search in the sorted list finds it.
    if numbers.not_above(start_lo, start_hi, lo, hi) then
      if not best or numbers.not_above(best.lo, best.hi, start_lo, start_hi) then
        best = { lo = start_lo, hi = start_hi, region = region }
      end
    end
  end
  if not best then return nil end
  local offset_lo, offset_hi = numbers.minus(lo, hi, best.lo, best.hi)
  if numbers.not_above(best.region.size_lo, best.region.size_hi, offset_lo, offset_hi) then return nil end
  return best.region, offset_lo, offset_hi
end

-- The same for an address of a ring: none for an IOVA, a guest address where those are spoken of.
function session.ring_place(view, lo, hi)
  if has_virtio(view, ACCESS_PLATFORM) then return nil end
  local bit, acked = view.bits.numbers.GPA_ADDRESSES, view.protocol_acked
  local by_guest = bit ~= nil and acked ~= nil and numbers.has_bit(acked[1], acked[2], bit)
  return session.place(view, lo, hi, by_guest)
end

session.MAIN, session.PROTOCOL_FEATURES = MAIN, PROTOCOL_FEATURES

return session
