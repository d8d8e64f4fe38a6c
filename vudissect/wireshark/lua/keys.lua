-- Key material, which is never shown: where it is in a message, by the tables.

local keys = {}

local HEADER = 12
local SIZE = 8

-- The places of key material in the payload of a message that begins at `at`, and the message's byte order; or nil.
local function places(s, at, channel)
  local numbered = T.keys[channel + 1]
  for _, order in ipairs({ numbers.little, numbers.big }) do
    local known = numbered[order.u32(s, at)]
    if known then return known, order end
  end
  return nil
end

-- `s` with zeros in place of the key material of its message; nil if there is none, or only zeros.
function keys.without(s, this)
  local payload, there = this.at + HEADER, #s - this.at + 1 - HEADER
  if there <= 0 then return nil end
  local known, order = places(s, this.at, this.channel)
  if not known then return nil end
  local size = order.u32(s, this.at + SIZE)
  local spans = there <= size and known.by_size[size] or { { known.otherwise, there } }
  local result = s
  for _, span in ipairs(spans) do
    local first, last = payload + span[1], math.min(payload + span[2] - 1, #s)
    if first <= last and s:find("[^%z]", first) then
      result = result:sub(1, first - 1) .. string.rep("\0", last - first + 1) .. result:sub(last + 1)
    end
  end
  return result ~= s and result or nil
end

return keys
