-- What Wireshark is told of before the first packet: protocol, fields, expert infos, preferences.

local fields = {}

local protocol = Proto("vhost_user", "vhost-user")
fields.protocol = protocol

local BASES = { DEC = base.DEC, HEX = base.HEX, NONE = base.NONE }
local FRAMES = { NONE = frametype.NONE, REQUEST = frametype.REQUEST, RESPONSE = frametype.RESPONSE }

local function make(row)
  local name, title, kind, base_name, choices, mask, width = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
  if kind == "bool" then
    if mask == 0 then return ProtoField.bool(name, title) end
    return ProtoField.bool(name, title, width, nil, mask)
  end
  if kind == "framenum" then return ProtoField.framenum(name, title, base.NONE, FRAMES[base_name]) end
  local value_string = choices > 0 and T.choices[choices] or nil
  if mask > 0 then return ProtoField[kind](name, title, BASES[base_name], value_string, mask) end
  if base_name == "NONE" then return ProtoField[kind](name, title) end
  return ProtoField[kind](name, title, BASES[base_name], value_string)
end

-- By place in the table, and those that are no part of a payload by name as well.
local by_place, by_name, kinds = {}, {}, {}
for place, row in ipairs(T.fields) do
  local field = make(row)
  by_place[place], kinds[place] = field, row[3]
  if place <= T.fixed then by_name[row[1]:sub(#"vhost_user." + 1)] = field end
end
protocol.fields = by_place
fields.by_place, fields.by_name, fields.kinds = by_place, by_name, kinds

local experts = {}
for place, rule in ipairs(T.rules) do
  local name = "vhost_user.expert." .. rule.id:lower():gsub("-", "_")
  experts[place] = ProtoExpert.new(name, rule.id .. ": " .. rule.statement, expert.group.PROTOCOL, expert.severity[rule.severity])
end
fields.malformed = ProtoExpert.new("vhost_user.expert.malformed", "malformed", expert.group.MALFORMED, expert.severity.ERROR)
fields.unanswered = ProtoExpert.new("vhost_user.expert.unanswered", "never answered", expert.group.SEQUENCE, expert.severity.WARN)
fields.experts = {}
for place, info in ipairs(experts) do fields.experts[place] = info end
experts[#experts + 1], experts[#experts + 2] = fields.malformed, fields.unanswered
protocol.experts = experts

local dialects, devices = {}, { { 1, "auto", 0 } }
for place, dialect in ipairs(T.dialects) do dialects[place] = { place, dialect.key, place } end
for place, device in ipairs(T.devices) do devices[place + 1] = { place + 1, device.name, place } end
protocol.prefs.dialect = Pref.enum("Dialect", 1, "The revision, draft or fork of the protocol that is spoken", dialects, false)
protocol.prefs.device = Pref.enum("Device type", 0, "The virtio device; auto: found out by what is said", devices, false)

return fields
