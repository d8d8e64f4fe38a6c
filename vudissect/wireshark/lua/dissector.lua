-- What Wireshark calls for each packet. A frame is taken in when it is seen for the first time, which is in order; the
-- tree is only built where somebody looks at it or filters by it, or where an expert info belongs into it: Wireshark counts
-- them without looking at any tree.

local protocol = fields.protocol

-- Equal messages are decoded once. What is long or was cut short is not worth keeping.
local LONGEST_KEPT = 512
local MESSAGE = 1

-- Most of what is made for a packet is garbage after it, and what stays is little at first: then it is quicker to let ten
-- times as much gather before it is collected. Later that would be too much.
local OFTEN, SELDOM, MUCH = 200, 1000, 64 * 1024
local NOW_AND_THEN = 8192

local latest, next_look, dissector

local function tune_collector(frame)
  collectgarbage("setpause", collectgarbage("count") > MUCH and OFTEN or SELDOM)
  next_look = frame + NOW_AND_THEN
end

local known = record.known

local function forget()
  latest = 0
  tune_collector(0)
  record.forget()
  local device = protocol.prefs.device
  session.reset(T.dialects[protocol.prefs.dialect], device > 0 and T.devices[device] or nil)
end

protocol.init = forget
protocol.prefs_changed = forget

local function decoded(s, this)
  local data = s:sub(this.at)
  local lo, hi = record.length(s)
  local message = decode.message(session.dialect, this.channel, this.sender, this.is_big, data, lo, hi)
  if hi == 0 and lo == #data and lo <= LONGEST_KEPT then record.keep(s, this, message) end
  return message
end

local function details_of(s, this)
  local list = words.details(s:sub(this.at))
  if not list then return nil end
  local by_key = {}
  for _, each in ipairs(list) do by_key[each.key] = each.text or each.number end
  return list, by_key
end

local function start(tvb, root, has_expert_info)
  if not has_expert_info and not root:referenced(dissector) then return nil end
  return root:add(protocol, tvb())
end

local function add_message(tvb, root, s, this, message, frame, view, is_seen)
  local item = root:add(protocol, tvb())
  item:append_text(", " .. words.printable(message.name))
  tree.message(item, tvb, s, this, message, frame, view, is_seen)
end

local function message_frame(tvb, cols, root, s, this, message, frame)
  local view
  local is_seen = frame <= latest
  if not is_seen then
    local connection = session.connection(this.connection, frame)
    session.message(connection, frame, message, this, s)
    rules.message(connection, frame, message, this, s)
    view, latest, this.connection_state = connection.view, frame, connection
  else
    view = views.at(this.connection, frame)
  end
  cols.info = text.message(message, frame, this, view)
  if root:referenced(dissector) or tree.has_expert_info(message, frame) then
    add_message(tvb, root, s, this, message, frame, view, is_seen)
  end
end

local function event_frame(tvb, cols, root, s, this, frame, list, details)
  if frame > latest then
    if this.kind == 2 and this.is_earlier then session.begin_again(this.connection) end
    local connection = session.connection(this.connection, frame)
    local owed = session.event(connection, frame, this, details)
    if this.kind == 3 or this.kind == 5 then rules.closed(connection, frame, this, details, owed, s) end
    latest = frame
  end
  cols.info = text.event(this, details)
  local item = start(tvb, root, session.left[frame])
  if item then tree.event(item, tvb, s, this, list, frame) end
end

local function damaged(tvb, cols, root, problem)
  cols.info = problem
  local item = start(tvb, root, true)
  if item then tree.damaged(item, problem) end
end

function protocol.dissector(tvb, pinfo, root)
  dissector = dissector or Dissector.get("vhost_user")
  local s = tvb:raw()
  local frame, cols = pinfo.number, pinfo.cols
  cols.protocol = "vhost-user"
  if frame > next_look then tune_collector(frame) end
  local this, message = known(s)
  if message then
    if frame > latest then
      local info, view = quick(this, message, frame, s)
      if info then
        cols.info, latest = info, frame
        if root:referenced(dissector) or tree.has_expert_info(message, frame) then
          add_message(tvb, root, s, this, message, frame, view)
        end
        return
      end
    end
    message_frame(tvb, cols, root, s, this, message, frame)
    return
  end
  local problem
  this, problem = record.parse(s)
  if not this then
    damaged(tvb, cols, root, problem)
    return
  end
  if this.kind == MESSAGE then
    local shown = keys.without(s, this)
    if shown then s, tvb = shown, ByteArray.new(shown, true):tvb("Without key material") end
    message_frame(tvb, cols, root, s, this, decoded(s, this), frame)
  elseif this.kind < 1 or this.kind > 10 then
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
