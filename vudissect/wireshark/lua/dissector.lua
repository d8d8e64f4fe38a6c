-- What Wireshark calls for each packet. A frame is taken in when it is seen for the first time, which is in order; the
-- tree is only built where somebody looks at it or filters by it.

local protocol = fields.protocol

-- Equal messages are decoded once. What is long or was cut short is not worth keeping.
local MOST_KEPT, LONGEST_KEPT = 4096, 512
local MESSAGE = 1

-- Most of what is made for a packet is garbage behind it: collecting it less often takes a fifth of the time away.
collectgarbage("setpause", 400)

local kept, kept_count, latest, dissector

local function forget()
  kept, kept_count, latest = {}, 0, 0
  local device = protocol.prefs.device
  session.reset(T.dialects[protocol.prefs.dialect], device > 0 and T.devices[device] or nil)
end

protocol.init = forget
protocol.prefs_changed = forget

local function decoded(s, this)
  local data, length = s:sub(this.at), record.length_bytes(s)
  local way = this.channel * 3 + this.sender
  if this.is_big then way = way + 9 end
  local of_way = kept[way]
  local message = of_way and of_way[data]
  if message and message.length == length then return message end
  local lo, hi = record.length(s)
  message = decode.message(session.dialect, this.channel, this.sender, this.is_big, data, lo, hi)
  if hi == 0 and lo == #data and lo <= LONGEST_KEPT then
    if kept_count >= MOST_KEPT then kept, kept_count = {}, 0 end
    kept[way] = kept[way] or {}
    message.length = length
    kept[way][data], kept_count = message, kept_count + 1
  end
  return message
end

local function details_of(s, this)
  local list = words.details(s:sub(this.at))
  if not list then return nil end
  local by_key = {}
  for _, each in ipairs(list) do by_key[each.key] = each.text or each.number end
  return list, by_key
end

local function start(tvb, root)
  dissector = dissector or Dissector.get("vhost_user")
  if not root:referenced(dissector) then return nil end
  return root:add(protocol, tvb())
end

local function message_frame(tvb, cols, root, s, this, frame)
  local message, view = decoded(s, this), nil
  if frame > latest then
    local connection = session.connection(this.connection, frame)
    session.message(connection, frame, message, this, s)
    rules.message(connection, frame, message, this, s)
    view, latest = connection.view, frame
  else
    view = session.view(this.connection, frame)
  end
  cols.info = text.message(message, frame, this, view)
  local item = start(tvb, root)
  if item then
    item:append_text(", " .. words.printable(message.name))
    tree.message(item, tvb, s, this, message, frame, view)
  end
end

local function event_frame(tvb, cols, root, s, this, frame, list, details)
  if frame > latest then
    local connection = session.connection(this.connection, frame)
    local owed = session.event(connection, frame, this, details)
    if this.kind == 3 or this.kind == 5 then rules.closed(connection, frame, this, details, owed, s) end
    latest = frame
  end
  cols.info = text.event(this, details)
  local item = start(tvb, root)
  if item then tree.event(item, tvb, s, this, list, frame) end
end

local function damaged(tvb, cols, root, problem)
  cols.info = problem
  local item = start(tvb, root)
  if item then tree.damaged(item, problem) end
end

function protocol.dissector(tvb, pinfo, root)
  local s = tvb:raw()
  local frame, cols = pinfo.number, pinfo.cols
  cols.protocol = "vhost-user"
  local this, problem = record.parse(s)
  if not this then
    damaged(tvb, cols, root, problem)
    return
  end
  if this.kind == MESSAGE then
    local shown = keys.without(s, this)
    if shown then s, tvb = shown, ByteArray.new(shown, true):tvb("Without key material") end
    message_frame(tvb, cols, root, s, this, frame)
  elseif this.kind < 1 or this.kind > 7 then
    damaged(tvb, cols, root, "this is a record of a later kind: update the plugin")
  else
    local list, details = details_of(s, this)
    if list then
      event_frame(tvb, cols, root, s, this, frame, list, details)
    else
      damaged(tvb, cols, root, "the details of the event are no object of strings and numbers")
    end
  end
end
