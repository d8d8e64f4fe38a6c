-- A message or an event in a few words: the info column. It is what `vudissect show` prints.

local format, concat = string.format, table.concat
local decimal, size_text = numbers.decimal, numbers.size
local has_bit, printable = numbers.has_bit, words.printable

local text = {}

local MALFORMED_BYTES = 512
local USUAL_SEALS, UNSEALABLE = 0x2, 0xffffffff
local MILLISECOND = 999500 -- as it is rounded

-- Messages -------------------------------------------------------------------------------------------------------------

-- What all appearances of a message have in common.
local function beginning(message, view)
  local line = message.is_reply and message.name .. " ->" or message.name
  local layout = message.layout
  if layout then
    local contents = values.contents(message, view)
    if contents ~= "" then line = line .. " " .. contents end
    if layout.deviation then line = line .. " (" .. layout.deviation .. ")" end
  end
  if message.is_named then
    line = line .. " payload unknown"
  elseif message.sent then -- not all of it was recorded
    line = format("%s CUT, %d of %s bytes were recorded", line, #message.data, message.sent)
  elseif message.problem then
    line = line .. " MALFORMED, " .. message.problem .. ":"
      .. " " .. numbers.whole_hex(message.data, MALFORMED_BYTES)
  end
  return line
end

-- The same, made again only if what it depends on has changed.
local function body(message, view)
  local depends = message.depends
  if not depends then
    depends = values.depends_on(message)
    message.depends = depends
  elseif depends == "nothing" or (depends == "memory" and message.map == view.map) then
    return message.body
  end
  local line = beginning(message, view)
  message.body, message.map = line, view.map
  return line
end

local KINDS = tables.fields["fd.kind"].choices

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
      .. (descriptor.examined and size_text(descriptor.size_lo, descriptor.size_hi) or "size unknown")
    if descriptor.page_hi > 0 or descriptor.page_lo > 4096 then
      what = what .. " pages " .. size_text(descriptor.page_lo, descriptor.page_hi)
    end
    if descriptor.examined and descriptor.kind == 1 and descriptor.seals ~= USUAL_SEALS then
      what = what .. " seals " .. (descriptor.seals == UNSEALABLE and "-1" or format("%#x", descriptor.seals))
    end
  else
    what = KINDS[descriptor.kind]
  end
  return format("+%s (%s)", named.name, what)
end

local function marks_text(marks)
  local texts = {}
  for _, mark in ipairs(T.mark_texts) do
    if has_bit(marks, 0, mark[1]) then texts[#texts + 1] = mark[2] end
  end
  return #texts > 0 and " " .. concat(texts, ", ") or ""
end

-- What all appearances of a message have in common as long as nothing else is known of its connection.
function text.plain(message, this, view)
  if message.view == view then return message.text end
  local line = body(message, view)
  -- A view is that of one connection: its name can go along.
  if this.connection > 1 then line = session.prefix(this.connection) .. line end
  message.view, message.text = view, line
  return line
end

function text.answer(line, request, latency, frame)
  if not latency then return format("%s [#%d]", line, request) end
  if latency >= 0 and latency < MILLISECOND then return format("%s [#%d +%.3gus]", line, request, latency / 1000) end
  return format("%s [#%d +%s%s]", line, request, numbers.duration(latency), session.late[frame] and ", late" or "")
end

-- The message of a frame that was taken in before.
function text.message(message, frame, this, view)
  local line = text.plain(message, this, view)
  if this.count > 0 then
    local carried = session.carried[frame]
    for place, descriptor in ipairs(this.descriptors) do
      local named, again = carried[place], false
      for earlier = 1, place - 1 do again = again or carried[earlier] == named end
      line = line .. " " .. (again and named.name or descriptor_text(named, descriptor, frame))
    end
  end
  local replaced = session.replaced[frame]
  if replaced then line = line .. " (was " .. replaced .. ")" end
  if message.need_reply and not message.is_reply and message.channel ~= 2 then line = line .. " need_reply" end
  if message.odd_flags then line = line .. " header_flags " .. message.odd_flags end
  if message.is_error and message.is_reply then line = line .. " SENT BACK" end
  if not this.is_usual then line = line .. marks_text(this.marks) end
  if not message.is_reply then return line end
  local request = session.peer[frame]
  if not request then return line .. " [answers nothing that was asked]" end
  return text.answer(line, request, session.latency[frame], frame)
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

local CHANNELS = tables.fields.channel.choices
text.CHANNELS = CHANNELS

local function lasting(details, key, before)
  local length = tonumber(details[key] or "0")
  if length == 0 then return "" end
  return before .. " for " .. numbers.duration(length)
end

local function observation(details)
  local facts = {}
  local function fact(key, words) if details[key] then facts[#facts + 1] = words end end
  fact("avail", "avail " .. (details.avail or ""))
  fact("used", "used " .. (details.used or ""))
  fact("pending", (details.pending or "") .. " pending" .. lasting(details, "waited", ""))
  fact("kick", "kick " .. (details.kick or "") .. lasting(details, "kick_unread", " unread"))
  fact("call", "call " .. (details.call or "") .. lasting(details, "call_unread", " unread"))
  fact("unnoticed", "completion unnoticed" .. lasting(details, "unnoticed", ""))
  fact("in_flight", (details.in_flight or "") .. " in flight" .. lasting(details, "left_over", " left over"))
  fact("no_kicks", "no kicks wanted")
  fact("no_calls", "no calls wanted")
  fact("back_end_stopped", "back-end stopped")
  fact("front_end_stopped", "front-end stopped")
  local line = format("ring %s:", details.ring or "?")
  if #facts > 0 then line = line .. " " .. table.concat(facts, ", ") end
  if details.request then line = line .. "; oldest: " .. details.request end
  if details.fault then line = line .. "; fault: " .. details.fault end
  if details.unreadable then line = line .. "; not read: " .. details.unreadable end
  return line
end

local EVENTS = {
  [2] = function(this, details)
    local device = details.device and details.device ~= "" and ", device " .. details.device or ""
    local origin = ""
    if details.source and details.source ~= "" then
      local side = details.seen_by and details.seen_by ~= "" and "the " .. details.seen_by or "both sides"
      origin = format(", from %s of %s", details.source, side)
    end
    return format("%s: front-end %s, back-end %s%s%s", session.label(this.connection),
      peer(details, "front_end"), peer(details, "back_end"), device, origin)
  end,
  [3] = function(this, details)
    return format("%s closed by the %s%s", session.label(this.connection), details.by or "?", how(details))
  end,
  [4] = function(this, details)
    local passed = session.socket(this.connection, details.by_sequence)
    return format("%s channel opened%s", CHANNELS[this.channel], passed and " on " .. passed or "")
  end,
  [5] = function(this, details)
    return format("%s channel closed by the %s%s", CHANNELS[this.channel], details.by or "?", how(details))
  end,
  [6] = function(_, details)
    return format("%s messages are missing here: %s", details.messages or "?", details.reason or "?")
  end,
  [7] = function(_, details) return details.text or "" end,
  [8] = function(_, details) return observation(details) end,
  [9] = function(_, details)
    if details.next then return "continued in " .. details.next end
    local repeated = details.repeated or "0"
    return format("continued from %s%s", details.previous or "?", repeated ~= "0"
      and format("; %s records of the set-up are repeated from earlier files", repeated) or "")
  end,
  [10] = function(_, details)
    local remark = details.reason or (not details.alters and "timing only")
    return format("fault %s %s%s: %s", details.fault or "?", details.outcome or "?",
      remark and format(" (%s)", remark) or "", details.text or "")
  end,
}

-- What the proxy noted; `details` by key.
function text.event(this, details)
  local line = printable(EVENTS[this.kind](this, details))
  if this.connection > 1 then return session.prefix(this.connection) .. line end
  return line
end

return text
