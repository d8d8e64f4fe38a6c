-- What an exchange means: what is negotiated, which messages are answered, which never will be. Each frame is taken in
-- once, in order; what the tree and the info column need of it later is kept here.

local has_bit = numbers.has_bit
local ask, answer = pairing.ask, pairing.answer
local latency_of = record.latency
local on_request, on_reply = effects.on_request, effects.on_reply

local session = {}

local connections, peer, latency, late, sockets, device_ids

-- The side that answers on a channel: 0 for the front-end.
local ANSWERS = { [0] = 1, 0, 0 }
local SECOND = 1000000000

-- Whether a request was answered later (ns) than is usual for it and for the program that answers.
local function is_late(connection, message, took)
  local row, command = message.row, connection.programs[ANSWERS[message.channel]] or ""
  if row and row.may_take_long then return false end
  for _, usual in ipairs(T.usual_times) do
    if row and usual.purposes[row.purpose] then
      local applies = not usual.commands
      for _, pattern in ipairs(usual.commands or {}) do applies = applies or command:match(pattern) ~= nil end
      if applies then return took > usual.late_after end
    end
  end
  return true
end

-- Forget everything: another file, or the same one again.
function session.reset(dialect, device)
  session.dialect, session.device = dialect, device
  connections = {}
  device_ids = {} -- by connection
  sockets = {} -- that messages passed: names by connection and number of the message
  record.renew()
  objects.reset()
  views.reset()
  peer, latency = {}, {}
  session.peer = peer -- frame of a reply to that of its request, and back
  session.latency = latency -- of a reply
  late = {}
  session.late = late -- replies that came later than is usual
  session.carried = {} -- names of the descriptors of a frame
  session.replaced = {} -- name of the descriptor that a frame puts out of use
  session.lost = {} -- requests that will never be answered
  session.left = {} -- frames of such requests, by the frame where that became clear
  session.findings = {}
end

-- Connections --------------------------------------------------------------------------------------------------------

local function new_waiting() return { [0] = pairing.new(), pairing.new(), pairing.new() } end

local function connect(of, frame)
  local connection = {
    number = of,
    view = { device = session.device, is_guess = not session.device, memory = {}, map = "", bits = session.dialect.bits },
    settled = session.device ~= nil,
    programs = {},
    named = {},
    sizes = {},
    size_count = 0,
    postcopy = "none",
    rings = {},
    ring_count = 0,
    waiting = new_waiting(),
    reported = {},
    asked = {},
    lost_sync = {},
    open_gates = {},
  }
  connections[of] = connection
  views.see(connection, frame, {})
  return connection
end

-- The connection of a frame, which becomes known by being named.
function session.connection(of, frame) return connections[of] or connect(of, frame) end

-- The set-up of a connection is repeated from here on; if earlier files have been read, it is known already.
function session.begin_again(of) connections[of] = nil end

-- Whether a protocol feature is in effect; never one that the dialect does not have.
function session.has(connection, feature)
  local bit, acked = session.dialect.bits.numbers[feature], connection.view.protocol_acked
  return bit ~= nil and acked ~= nil and has_bit(acked[1], acked[2], bit)
end

-- The negotiation cannot have been missed.
function session.from_start(connection) return connection.opened and not connection.gap end

-- A protocol feature is known not to be in effect.
function session.lacks(connection, feature)
  if not session.from_start(connection) and not connection.view.protocol_acked then return false end
  return not session.has(connection, feature)
end

function session.owes_reply(connection, row, need_reply)
  local answered = row.answer
  if answered == "ALWAYS" then return true end
  if answered == "NEVER" then return false end
  if answered == "ON_REQUEST" and not need_reply then return false end
  if answered == "IF_LOG_SHMFD" and session.has(connection, "LOG_SHMFD") then return true end
  if answered == "IF_POSTCOPY" and connection.postcopy == "listening" then return true end
  if answered == "IF_REPLY_ALL" and session.has(connection, "REPLY_ALL") then return true end
  return (need_reply and session.has(connection, "REPLY_ACK")) or false
end

local function close_channel(connection, channel, frame, owed)
  for _, request in ipairs(pairing.owed(connection.waiting[channel])) do
    owed[#owed + 1] = request
    session.lost[request.frame] = frame
  end
  connection.waiting[channel] = pairing.new()
end

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

-- Whether a message changes nothing but what is waited for, whatever came before.
function session.is_inert(message)
  local row = message.row
  if message.is_reply then return not on_reply[row.purpose] end
  return not on_request[row.purpose] and row.answer ~= "IF_POSTCOPY"
end

-- A frame answers a request.
function session.pair(connection, request, frame, s)
  local asked, took = request.frame, latency_of(request.s, s)
  peer[frame], peer[asked] = asked, frame
  latency[frame] = took
  if took and took > SECOND and is_late(connection, request.message, took) then late[frame] = true end
  return asked, took
end

-- Whether nothing of what was read up to now answers the request of a frame. Asked when all of a capture was read.
function session.is_open(of, channel, frame)
  local connection = connections[of]
  return connection ~= nil and pairing.is_open(connection.waiting[channel], frame)
end

-- The socket that the message with this number (decimal) passed, by its name; nil if it passed none.
function session.socket(of, sequence)
  local passed = sockets[of]
  return passed and passed[sequence]
end

-- The name of a connection for people: its number, and the id of its device.
function session.label(of)
  local id = device_ids[of]
  return "connection " .. numbers.decimal(of, 0) .. (id and string.format(" (%s)", id) or "")
end

local function note_sockets(s, this, carried)
  for place, descriptor in ipairs(this.descriptors) do
    if descriptor.kind == 4 then
      local passed = sockets[this.connection] or {}
      sockets[this.connection] = passed
      passed[numbers.decimal(numbers.little.u64(s, 17))] = carried[place].name
    end
  end
end

-- Take in a message. `request` is set on the connection to what a reply answers.
function session.message(connection, frame, message, this, s)
  local row, carried, replaced = message.row, nil, nil
  if this.count > 0 then
    carried = {}
    for place, descriptor in ipairs(this.descriptors) do carried[place] = objects.named(descriptor, frame) end
    session.carried[frame] = carried
    note_sockets(s, this, carried)
  end
  local waiting = connection.waiting[message.channel]
  if message.is_reply then
    local request
    if this.is_withheld then
      request = pairing.withhold(waiting, message.id, frame)
    else
      request = answer(waiting, message.id, frame)
    end
    connection.request = request
    if request then session.pair(connection, request, frame, s) end
    local apply = row and message.layout and not this.is_not_forwarded and on_reply[row.purpose]
    if apply and not message.is_error then apply(connection, message, frame, carried) end
    return
  end
  if this.is_not_forwarded and not this.is_withheld then return end -- nobody has seen it
  local owed = false
  if row then
    owed = session.owes_reply(connection, row, message.need_reply)
    if owed and row.answer == "IF_POSTCOPY" and ends_postcopy_exchange(connection, message) then owed = false end
    local apply = message.layout and not this.is_withheld and on_request[row.purpose]
    if apply then replaced = apply(connection, message, frame, carried) end
  end
  if replaced and replaced ~= "" then session.replaced[frame] = replaced end
  if owed or not row or message.need_reply then
    if this.is_injected then pairing.withdraw(waiting, message.id) end
    ask(waiting, frame, message, owed, s)
    if this.is_withheld then pairing.unseen(waiting, frame) end -- its sender does not know that, and waits
  elseif not this.is_withheld then
    waiting.unasked[message.id] = frame
  end
end

-- Take in what the proxy noted; `details` by key. Gives the requests that will now never get their answer.
function session.event(connection, frame, this, details)
  local owed = {}
  record.renew()
  if this.kind == 2 then
    connection.opened = true
    if details.device_id and details.device_id ~= "" then device_ids[connection.number] = details.device_id end
    connection.programs = { [0] = details.front_end_command, details.back_end_command }
    local executable = (details.back_end_executable or ""):match("[^/]*$")
    connection.served = T.programs[executable] or T.programs[details.back_end_command or ""]
    local device = tables.devices[details.device or ""]
    if device and not connection.settled then
      connection.settled = true
      views.see(connection, frame, { device = device, is_guess = false })
    elseif connection.served and not connection.settled then
      views.see(connection, frame, { device = effects.guess(connection) })
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
      each.waiting = new_waiting()
    end
  end
  if #owed > 0 then session.left[frame] = owed end
  return owed
end

return session
