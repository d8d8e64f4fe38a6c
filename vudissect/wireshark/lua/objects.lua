-- What descriptors are called: mem#1, evt#3. The same open object has the same name wherever it comes along.

local objects = {}

-- Nobody has as many; a hostile peer must not fill the memory.
local MOST_KNOWN = 65536

local known, counts, order, first

function objects.reset()
  known, counts, order, first = {}, {}, {}, 1
end

local function next_name(kind)
  local prefix = T.descriptor_prefixes[kind] or "fd"
  counts[prefix] = (counts[prefix] or 0) + 1
  return string.format("%s#%d", prefix, counts[prefix])
end

-- The name of an open object and the frame in which it was first seen; a new one if it cannot be told apart.
function objects.named(descriptor, frame)
  local identity = descriptor.identity
  local found = identity ~= "" and known[identity]
  if found then return found end
  found = { name = next_name(descriptor.kind), first = frame }
  if identity ~= "" then
    if #order - first + 1 >= MOST_KNOWN then
      known[order[first]] = nil
      order[first] = nil
      first = first + 1
    end
    order[#order + 1] = identity
    known[identity] = found
  end
  return found
end

return objects
