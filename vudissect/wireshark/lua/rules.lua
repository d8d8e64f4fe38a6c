-- The rules that need only the table and the header, as in `vudissect lint`, whose findings are longer. Their ids,
-- statements and severities are in `T.rules`; `docs/rules.md` has all rules.

local format = string.format
local has_bit, find = numbers.has_bit, decode.find

local rules = {}

-- Repetitions are counted, not reported again; a hostile peer must not fill the memory.
local MOST_OF_A_RULE, MOST_KEYS = 20, 256
local SECOND = 1000000000
local PROTOCOL_FEATURES = tables.features.numbers.PROTOCOL_FEATURES
local BACK_END, PROXY = tables.fields.sender.choices[1], tables.fields.sender.choices[2]

local error_bit
for _, dialect in ipairs(T.dialects) do
  if dialect.error > 0 then error_bit = dialect.error - 1 end
end

local function report(connection, frame, id, finding)
  if connection.is_repeated then return end -- an earlier file has it
  local count = (connection.reported[id] or 0) + 1
  connection.reported[id] = count
  if count > MOST_OF_A_RULE then return end
  local found = session.findings[frame]
  if not found then
    found = {}
    session.findings[frame] = found
  end
  found[#found + 1] = { rule = id, text = finding }
end

-- Whether a rule has not asked this before about the same key on this connection.
local function first(connection, id, key)
  local known = connection.asked[id]
  if not known then
    known = { count = 0 }
    connection.asked[id] = known
  end
  key = "/" .. key
  if known[key] or known.count >= MOST_KEYS then return false end
  known[key], known.count = true, known.count + 1
  return true
end

local function is_listed(list, wanted)
  for _, each in ipairs(list) do
    if each == wanted then return true end
  end
  return false
end

-- Headers ------------------------------------------------------------------------------------------------------------

local function is_swapped(message)
  local function plausible(order)
    return order.u32(message.data, 1) < T.largest_request and T.usual_flags[order.u32(message.data, 5)] or false
  end
  local little, big = plausible(numbers.little), plausible(numbers.big)
  return little ~= big and big ~= message.is_big
end

-- A known number with a bit that only a dialect which is not in effect gives a meaning.
local function has_error_bit(message)
  local dialect = session.dialect
  if dialect.error > 0 or not error_bit or not has_bit(message.id, 0, error_bit) then return false end
  return dialect.rows[message.channel + 1][message.id - math.floor(2 ^ error_bit)] ~= nil
end

local function number_known(connection, frame, message)
  if #message.data < decode.HEADER or has_error_bit(message) then return end
  local id, channel = "VU-HDR-01", format("%d", message.channel)
  if is_swapped(message) then
    if first(connection, id, "swapped") then report(connection, frame, id, "the header makes sense only in the other byte order") end
  elseif message.channel ~= 2 and (message.reserved ~= 0 or not is_listed(session.dialect.versions, message.version)) then
    if first(connection, id, "wild" .. channel) then
      report(connection, frame, id, "this is no header: the channel is out of step from here on")
    end
  elseif first(connection, id, channel .. "/" .. message.name) then
    report(connection, frame, id, format("%s of the %s channel is not defined", message.name, text.CHANNELS[message.channel]))
  end
end

local function header(connection, frame, message, this)
  local name, sender = message.name, format("%d", message.sender)
  if not is_listed(session.dialect.versions, message.version) and first(connection, "VU-HDR-02", sender) then
    report(connection, frame, "VU-HDR-02", format("%s has header version %d", name, message.version))
  end
  if message.has_reply_flag ~= message.is_reply then
    if not message.is_reply then
      report(connection, frame, "VU-HDR-03", name .. " is a request but has the REPLY flag")
    elseif connection.request then
      report(connection, frame, "VU-HDR-03", format("the answer to %s lacks the REPLY flag", name))
    end
  end
  if message.reserved ~= 0 and first(connection, "VU-HDR-04", sender) then
    report(connection, frame, "VU-HDR-04", format("%s has the reserved flags %s", name, numbers.hex(message.reserved, 0)))
  end
  if message.is_reply and message.need_reply and first(connection, "VU-HDR-05", name) then
    report(connection, frame, "VU-HDR-05", format("the answer to %s repeats the request's NEED_REPLY", name))
  end
  local row = message.row
  if not this.is_not_forwarded and not message.is_reply and message.channel == 0 and row.answer ~= "ALWAYS" and row.answer ~= "NEVER"
    and message.need_reply and session.lacks(connection, "REPLY_ACK") and first(connection, "VU-HDR-06", "") then
    report(connection, frame, "VU-HDR-06", name .. " asks for an acknowledgement, but REPLY_ACK was not negotiated")
  end
end

local function size(connection, frame, message, s)
  if message.is_cut then
    report(connection, frame, "VU-HDR-07", format("%s was never completed, %s", message.name, message.problem))
    return
  end
  local row = message.row
  if message.is_reply or not row or message.layout then return end
  local lo, hi = record.length(s)
  if row.size_rule and message.size >= row.size_rule then return end
  if hi == 0 and lo == #message.data then -- else the snap length hides what it should be
    report(connection, frame, "VU-HDR-07", format("%s: the %s", message.name, message.problem))
  end
end

-- Descriptors ----------------------------------------------------------------------------------------------------------

local NOTHING = {}

local function descriptors(connection, frame, message, this)
  local row, layout, carried = message.row, message.layout, this.count
  local taken = (message.is_reply and row.reply_fds or not message.is_reply and row.fds) or NOTHING
  local is_bare, is_lost = layout and layout.bare, this.is_lost
  local least, most = taken.least or 0, taken.most or 0
  if carried > 0 then
    local elsewhere = not message.is_reply and (row.purpose == "REMOVE_MEMORY" or row.purpose == "SET_LOG")
    if not taken.per and not taken.unless and carried > (is_bare and 0 or most) and not elsewhere then
      report(connection, frame, "VU-FD-01",
        format("%s takes %d descriptors but carries %d", message.name, is_bare and 0 or most, carried))
    end
    if taken.unless and carried > 1 then
      report(connection, frame, "VU-FD-04", format("%s takes one descriptor but carries %d", message.name, carried))
    end
  end
  if (least > 0 or taken.per) and layout and not is_bare and not is_lost then
    if taken.per then
      local wanted = decode.number(message, taken.per)
      if carried ~= wanted then
        report(connection, frame, "VU-FD-02",
          format("%s has %s %d but %d descriptors", message.name, taken.per, wanted, carried))
      end
    elseif carried < least then
      report(connection, frame, "VU-FD-02",
        format("%s has %d descriptors, it needs %d (%s)", message.name, carried, least, taken.kind))
    end
  end
  if taken.unless then
    local denied, failed = find(message, taken.unless), find(message, "error")
    if denied and not is_lost and (not failed or failed == 0) then
      if denied > 0 and carried > 0 then
        report(connection, frame, "VU-FD-03", message.name .. " carries a descriptor although its bit 8 says that it carries none")
      elseif denied == 0 and carried == 0 then
        report(connection, frame, "VU-FD-03", message.name .. " carries no descriptor although its bit 8 does not say so")
      end
    end
  end
end

-- Features ---------------------------------------------------------------------------------------------------------------

local function what_is_there(offered, acked, phase, from_start)
  if not offered and from_start then offered = { 0, 0 } end
  if phase == "offered" then return offered end
  if acked or from_start then return acked or { 0, 0 } end
  return offered
end

-- Whether nothing is missing for a request.
local function gate(connection, frame, message)
  local row, view = message.row, connection.view
  local needed = row.gate
  if not needed or connection.open_gates[row] == view then return true end
  local from_start, phase, missing = session.from_start(connection), needed.phase, {}
  if needed.virtio and not view.acked then phase = "offered" end
  local function look(names, bits, there)
    for _, name in ipairs(names or NOTHING) do
      local is_channels = message.channel == 1 and (name == "BACKEND_REQ" or name == "BACKEND_SEND_FD")
      local bit = bits.numbers[name]
      if there and not is_channels and not (bit and has_bit(there[1], there[2], bit)) then missing[#missing + 1] = name end
    end
  end
  look(needed.protocol, session.dialect.bits, what_is_there(view.protocol_offered, view.protocol_acked, phase, from_start))
  look(needed.virtio, tables.features, what_is_there(view.offered, view.acked, phase, from_start))
  if #missing == 0 then
    -- It stays open until something is negotiated again.
    connection.open_gates[row] = view
    return true
  elseif first(connection, "VU-NEG-06", format("%d/%d", message.channel, message.id)) then
    report(connection, frame, "VU-NEG-06",
      format("%s is sent although %s is not %s", message.name, table.concat(missing, " and "), phase))
  end
  return false
end

-- Answers ----------------------------------------------------------------------------------------------------------------

local function stray(connection, frame, message)
  local waiting = connection.waiting[message.channel]
  if not session.from_start(connection) and not waiting.any_answered or #message.data < decode.HEADER then return end
  local answered, unasked = waiting.answered[message.id], waiting.unasked[message.id] or 0
  local id, finding
  if answered and answered.frame > unasked then
    local asked = answered.message
    if asked.row.answer == "ALWAYS" and asked.need_reply then
      id, finding = "VU-RPL-07", "%s (#%d) has its answer in #%d and is acknowledged on top"
    else
      id, finding = "VU-RPL-02", "%s (#%d) was answered in #%d and is answered again"
    end
    finding = format(finding, asked.name, answered.frame, waiting.answered_in[message.id])
  elseif unasked > 0 then
    id, finding = "VU-RPL-02", format("%s (#%d) did not ask for an answer, but got this one", message.name, unasked)
  else
    local due = pairing.owed(waiting)[1]
    if due then
      id, finding = "VU-RPL-01", format("the answer to %s (#%d) is due, but this one is to %s", due.message.name, due.frame, message.name)
    else
      id, finding = "VU-RPL-12", format("%s is answered, but was never sent, and no answer is due", message.name)
    end
  end
  connection.lost_sync[message.channel] = true
  report(connection, frame, id, finding)
end

local function answer(connection, frame, message, this, s)
  local request, layout = connection.request, message.layout
  if not request then
    if not this.is_not_forwarded then stray(connection, frame, message) end
    return
  end
  if layout and layout.failure then
    local lo, hi = decode.value(message, layout.fields[1])
    lo, hi = numbers.part(lo, hi, layout.failure[1], layout.failure[2])
    if lo ~= 0 or hi ~= 0 then
      report(connection, frame, "VU-RPL-05", format("%s (#%d) failed: the answer is %s", request.message.name, request.frame, numbers.decimal(lo, hi)))
    end
  end
  local row = message.row
  if row and not layout then
    local lo, hi = record.length(s)
    if hi == 0 and lo == decode.HEADER + message.size and lo == #message.data then
      report(connection, frame, "VU-RPL-06", format("the answer to %s (#%d) does not fit: %s", request.message.name, request.frame, message.problem))
    end
  elseif row and row.purpose == "SET_LOG" and layout.key ~= "log_area"
    and session.owes_reply(connection, row, false) and request.message.need_reply then
    report(connection, frame, "VU-RPL-06", format("the answer to %s (#%d) has %d bytes of payload", request.message.name, request.frame, message.size))
  end
end

-- Whether nothing can be wrong with a message but what the state or its descriptors make of it; worked out once for
-- equal messages.
local function is_regular(message)
  local row, layout = message.row, message.layout
  if not row or not layout or message.problem or has_error_bit(message) then return false end
  if message.reserved ~= 0 or message.has_reply_flag ~= message.is_reply then return false end
  if message.is_reply then
    if message.need_reply or row.reply_fds or row.purpose == "SET_LOG" then return false end
    if not layout.failure then return true end
    local lo, hi = decode.value(message, layout.fields[1])
    lo, hi = numbers.part(lo, hi, layout.failure[1], layout.failure[2])
    return lo == 0 and hi == 0
  end
  local taken = row.fds
  return not (taken and (taken.least or taken.per or taken.unless)) and not message.need_reply
end

-- Looks at a message that the session has taken in.
function rules.message(connection, frame, message, this, s)
  connection.is_repeated = this.is_earlier
  if message.is_regular == nil then
    message.is_regular = is_regular(message)
    message.is_quick = message.is_regular and session.is_inert(message)
  end
  if message.is_regular and this.is_plain then
    if message.is_reply then
      if connection.request or connection.lost_sync[message.channel] then return end
    else
      if gate(connection, frame, message) and message.is_quick then
        connection.view.owes[message.row] = session.owes_reply(connection, message.row, false)
      end
      return
    end
  end
  local is_header = message.row and message.channel ~= 2
  if message.is_reply and connection.lost_sync[message.channel] then return end
  if message.is_reply then answer(connection, frame, message, this, s) end
  if not message.row and not message.is_reply and not this.is_not_forwarded then number_known(connection, frame, message) end
  if is_header then header(connection, frame, message, this) end
  size(connection, frame, message, s)
  if this.is_lost then
    report(connection, frame, "VU-HDR-10", "the kernel dropped descriptors of " .. message.name)
  end
  if has_error_bit(message) then
    report(connection, frame, "VU-HDR-12", "the number has the error bit, which only one draft knows")
  end
  if message.row and not this.is_not_forwarded then -- else nobody has seen it
    descriptors(connection, frame, message, this)
    if not message.is_reply then gate(connection, frame, message) end
  end
  if this.is_late then
    report(connection, frame, "VU-FD-09", format("the descriptors of %s came after the first byte of its header", message.name))
  end
end

-- Endings ----------------------------------------------------------------------------------------------------------------

-- Looks at a channel or a connection that was closed; `owed` are the requests that will now never get their answer.
function rules.closed(connection, frame, this, details, owed, s)
  local lo, hi = record.received(s)
  connection.closed = connection.closed or {}
  if this.kind == 5 then
    connection.closed[this.channel] = { lo = lo, hi = hi, by = details.by, owed = owed }
    return
  end
  local by, waits = details.by or "", {}
  for channel = 0, 2 do
    local waiting = {}
    for _, request in ipairs(owed) do
      if request.message.channel == channel then waiting[#waiting + 1] = request end
    end
    local before = connection.closed[channel]
    if #waiting == 0 and before then
      waiting = before.owed
      if before.by ~= PROXY and numbers.difference(lo, hi, before.lo, before.hi) >= SECOND then waiting = {} end
    end
    if #waiting > 0 and not connection.lost_sync[channel] then waits[channel] = waiting end
  end
  local function since(request)
    return numbers.difference(lo, hi, record.forwarded(request.s))
  end
  local function in_vain(waiting)
    return by == "" or since(waiting[1]) >= SECOND
  end
  local view = connection.view
  local early = owed[1]
  if early and early.message.row.purpose == "OFFER_PROTOCOL_FEATURES" and view.offered
    and has_bit(view.offered[1], view.offered[2], PROTOCOL_FEATURES)
    and (by == BACK_END or since(early) >= SECOND) then
    report(connection, early.frame, "VU-HDR-01", "the back-end offers PROTOCOL_FEATURES but does not answer " .. early.message.name)
  end
  local other = waits[1] or waits[2]
  if waits[0] and other and in_vain(waits[0]) and in_vain(other) then return end -- both wait for each other: VU-RPL-10
  for channel = 0, 2 do
    local waiting = waits[channel]
    local request = waiting and waiting[1]
    if request and in_vain(waiting) and not (channel == 0 and by == BACK_END) and not request.message.row.may_take_long then
      if session.owes_reply(connection, request.message.row, false) then
        report(connection, request.frame, "VU-RPL-03", request.message.name .. " never got its answer")
      else
        report(connection, request.frame, "VU-RPL-04", request.message.name .. " never got its acknowledgement")
      end
    end
  end
end

return rules
