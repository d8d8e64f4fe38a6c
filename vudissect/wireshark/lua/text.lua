-- A message or an event in a few words: the info column. It says what `vudissect show` prints.

local format, concat = string.format, table.concat
local decimal, size_text = numbers.decimal, numbers.size
local has_bit, printable = numbers.has_bit, words.printable

local text = {}

local MALFORMED_BYTES = 32
local MILLISECOND = 999500 -- as it is rounded

-- Messages -------------------------------------------------------------------------------------------------------------

-- What all appearances of a message have in common.
local function beginning(message, view)
  local told = message.is_reply and message.name .. " ->" or message.name
  local layout = message.layout
  if layout then
    local said = values.contents(message, view)
    if said ~= "" then told = told .. " " .. said end
    if layout.deviation then told = told .. " (" .. layout.deviation .. ")" end
  end
  if message.sent then -- not all of it was recorded
    told = format("%s CUT, %d of %s bytes were recorded", told, #message.data, message.sent)
  elseif message.problem then
    told = told .. " MALFORMED, " .. message.problem .. ":"
      .. " " .. numbers.hex_bytes(message.data, MALFORMED_BYTES)
  end
  return told
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
  local told = beginning(message, view)
  message.body, message.map = told, view.map
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

-- What all appearances of a message have in common as long as nothing else is known of its connection.
function text.plain(message, this, view)
  if message.view == view then return message.text end
  local told = body(message, view)
  -- A view is that of one connection: its name can go along.
  if this.connection > 1 then told = session.prefix(this.connection) .. told end
  message.view, message.text = view, told
  return told
end

function text.answer(told, request, latency, frame)
  if latency >= 0 and latency < MILLISECOND then return format("%s [#%d +%.3gus]", told, request, latency / 1000) end
  return format("%s [#%d +%s%s]", told, request, numbers.duration(latency), session.late[frame] and ", late" or "")
end

-- The message of a frame that was taken in before.
function text.message(message, frame, this, view)
  local told = text.plain(message, this, view)
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
  if not message.is_reply then return told end
  local request = session.peer[frame]
  if not request then return told .. " [answers nothing that was asked]" end
  return text.answer(told, request, session.latency[frame], frame)
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
  fact("no_kicks", "no kicks wanted")
  fact("no_calls", "no calls wanted")
  local told = format("ring %s:", details.ring or "?")
  if #facts > 0 then told = told .. " " .. table.concat(facts, ", ") end
  if details.request then told = told .. "; oldest: " .. details.request end
  if details.fault then told = told .. "; fault: " .. details.fault end
  if details.unreadable then told = told .. "; not read: " .. details.unreadable end
  return told
end

local EVENTS = {
  [2] = function(this, details)
    local device = details.device and details.device ~= "" and ", device " .. details.device or ""
    return format("connection %s: front-end %s, back-end %s%s", decimal(this.connection, 0), peer(details, "front_end"),
      peer(details, "back_end"), device)
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
  [8] = function(_, details) return observation(details) end,
}

-- What the proxy noted; `details` by key.
function text.event(this, details)
  local told = printable(EVENTS[this.kind](this, details))
  if this.connection > 1 then return session.prefix(this.connection) .. told end
  return told
end

return text
