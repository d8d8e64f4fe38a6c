-- What Wireshark has to know before the first packet: protocol, fields, expert infos, preferences.

local fields = {}

local protocol = Proto("vhost_user", "vhost-user")
fields.protocol = protocol

local BASES = { DEC = base.DEC, HEX = base.HEX, NONE = base.NONE }
local FRAMES = { NONE = frametype.NONE, REQUEST = frametype.REQUEST, RESPONSE = frametype.RESPONSE }

local function make(row)
  local name, title, kind, base_name = "vhost_user." .. row[1], row[2], row[3], row[4]
  local choices, mask, width = row.choices, row[6], row[7]
  if kind == "bool" then
    if mask == 0 then return ProtoField.bool(name, title) end
    return ProtoField.bool(name, title, width, nil, mask)
  end
  if kind == "framenum" then return ProtoField.framenum(name, title, base.NONE, FRAMES[base_name]) end
  if mask > 0 then return ProtoField[kind](name, title, BASES[base_name], choices, mask) end
  if base_name == "NONE" then return ProtoField[kind](name, title) end
  return ProtoField[kind](name, title, BASES[base_name], choices)
end

local all, by_name = {}, {}
for place, row in ipairs(T.fields) do
  local field = make(row)
  all[place], by_name[row[8] or row[1]] = field, field
end
protocol.fields = all
fields.by_name = by_name

local experts = {}
fields.experts = {}
for place, rule in ipairs(T.rules) do
  local name = "vhost_user.expert." .. rule.id:lower():gsub("-", "_")
  experts[place] = ProtoExpert.new(name, rule.id .. ": " .. rule.statement, expert.group.PROTOCOL, expert.severity[rule.severity])
  fields.experts[rule.id] = experts[place]
end
fields.malformed = ProtoExpert.new("vhost_user.expert.malformed", "malformed", expert.group.MALFORMED, expert.severity.ERROR)
fields.unanswered = ProtoExpert.new("vhost_user.expert.unanswered", "never answered", expert.group.SEQUENCE, expert.severity.WARN)
experts[#experts + 1], experts[#experts + 2] = fields.malformed, fields.unanswered
protocol.experts = experts

local dialects, devices = {}, { { 1, "auto", 0 } }
for place, dialect in ipairs(T.dialects) do dialects[place] = { place, dialect.key, place } end
for place, device in ipairs(T.devices) do devices[place + 1] = { place + 1, device.name, place } end
protocol.prefs.dialect = Pref.enum("Dialect", 1, "The revision, draft or fork of the protocol that is spoken", dialects, false)
protocol.prefs.device = Pref.enum("Device type", 0, "The virtio device; auto: detected from the messages", devices, false)

return fields
