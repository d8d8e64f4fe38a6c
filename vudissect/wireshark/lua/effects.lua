-- What messages do to a connection, by what they are for: its view, its rings, postcopy. Some put a descriptor out of use.

local number, find, value = decode.number, decode.find, decode.value
local see = views.see

local effects = {}

-- Nobody has as many; a hostile peer must not fill the memory.
local MOST_RINGS, MOST_REGIONS = 1024, 1024

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

-- The device type with the fewest bits that has all these, the names of all that have them, and whether the bits are
-- enough to tell.
local function fitting_features(named)
  local own = {}
  for bit in pairs(named) do own[#own + 1] = bit end
  local best, all = nil, {}
  for _, device in ipairs(T.devices) do
    local fitting = true
    for _, bit in ipairs(own) do
      if not device.features[bit] then
        fitting = false
        break
      end
    end
    if fitting then
      all[device.name] = true
      if not best or device.bits < best.bits then best = device end
    end
  end
  return best and best.name, all, #own >= 3
end

-- Add the bits of a word that belong to the device type to those that were named before.
local function name_features(connection, named)
  if connection.settled then return nil end
  local is_new = false
  for bit = 0, 63 do
    if (bit < 24 or bit >= 50) and not connection.named[bit] and numbers.has_bit(named[1], named[2], bit) then
      connection.named[bit], is_new = true, true
    end
  end
  if not is_new then return nil end
  connection.best_fit, connection.fitting, connection.is_telling = fitting_features(connection.named)
  return effects.guess(connection) or false
end

-- Weigh what is known of the device, as `session/device.py` does; nil where nothing speaks for one.
function effects.guess(connection)
  local weights, best, most = T.device_weights, nil, 0
  for _, device in ipairs(T.devices) do
    local is_served = connection.served and connection.served[device.name]
    local points = is_served and weights.served or 0
    if connection.is_telling or (connection.fitting and is_served and connection.served.several) then
      if not connection.fitting[device.name] then
        points = points + weights.other_features
      elseif connection.is_telling and connection.best_fit == device.name then
        points = points + weights.best_features
      end
    end
    for size in pairs(connection.sizes) do
      local has = T.config_sizes[size] and T.config_sizes[size][device.name]
      points = points + (has or (device.ends[size] and 0 or weights.no_field))
    end
    if points > most then best, most = device, points end
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
effects.on_request = {
  ACK_FEATURES = function(connection, message, frame)
    connection.acked_in = frame
    local acked = word(message)
    see(connection, frame, { acked = acked, device = name_features(connection, acked) })
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

effects.on_reply = {
  OFFER_FEATURES = function(connection, message, frame)
    local offered = word(message)
    see(connection, frame, { offered = offered, device = name_features(connection, offered) })
  end,
  OFFER_PROTOCOL_FEATURES = function(connection, message, frame)
    see(connection, frame, { protocol_offered = word(message) })
  end,
  OFFER_GPU_FEATURES = function(connection, message, frame)
    see(connection, frame, { gpu_offered = word(message) })
  end,
  READ_CONFIG = function(connection, message, frame)
    local size = number(message, "size")
    if number(message, "offset") ~= 0 or size == 0 or connection.settled or connection.sizes[size] then return end
    if connection.size_count == T.device_weights.most_sizes then return end
    connection.sizes[size], connection.size_count = true, connection.size_count + 1
    see(connection, frame, { device = effects.guess(connection) or false })
  end,
}

return effects
