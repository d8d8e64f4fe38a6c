-- What the text of a message depends on: the device, what is negotiated, where memory is. A view is never changed, but
-- replaced, and stays for the frames that were seen with it.

local floor, format = math.floor, string.format
local has_bit, not_above = numbers.has_bit, numbers.not_above

local views = {}

local ACCESS_PLATFORM = tables.features.numbers.ACCESS_PLATFORM

local histories

function views.reset() histories = {} end

-- The addresses of a memory map as text, so that equal maps are found by comparing them.
local function map_of(memory)
  local parts = {}
  for place, region in ipairs(memory) do
    parts[place] = format("%d %d %d %d %d %d %d", region.number, region.guest_lo, region.guest_hi, region.size_lo,
      region.size_hi, region.user_lo, region.user_hi)
  end
  return table.concat(parts, ",")
end

-- A connection is seen with these changes from a frame on.
function views.see(connection, frame, changes)
  local view = {}
  for key, old in pairs(connection.view) do view[key] = old end
  for key, new in pairs(changes) do view[key] = new end
  if changes.memory then view.map = map_of(view.memory) end
  view.owes = {} -- rows of requests that nothing is wrong with while this holds, and whether they are owed an answer
  connection.view = view
  local history = histories[connection.number]
  if not history then
    history = { frames = {}, views = {} }
    histories[connection.number] = history
  end
  local last = #history.frames
  if history.frames[last] == frame then
    history.views[last] = view
  else
    history.frames[last + 1], history.views[last + 1] = frame, view
  end
end

-- The view that a frame was seen with.
function views.at(connection, frame)
  local history = histories[connection]
  if not history then return nil end
  local low, high = 1, #history.frames
  while low < high do
    local middle = floor((low + high + 1) / 2)
    if history.frames[middle] <= frame then low = middle else high = middle - 1 end
  end
  return history.views[low]
end

-- Where an address lies: region and offset (as halves); nil outside of all regions.
function views.place(view, lo, hi, by_guest)
  local best, best_lo, best_hi
  for _, region in ipairs(view.memory) do
    local start_lo, start_hi = region.user_lo, region.user_hi
    if by_guest then start_lo, start_hi = region.guest_lo, region.guest_hi end
    -- The last one that begins at or below the address, as a search in the sorted list finds it.
    if not_above(start_lo, start_hi, lo, hi) and (not best or not_above(best_lo, best_hi, start_lo, start_hi)) then
      best, best_lo, best_hi = region, start_lo, start_hi
    end
  end
  if not best then return nil end
  local offset_lo, offset_hi = numbers.minus(lo, hi, best_lo, best_hi)
  if not_above(best.size_lo, best.size_hi, offset_lo, offset_hi) then return nil end
  return best, offset_lo, offset_hi
end

-- The same for an address of a ring: none for an IOVA, a guest address where those are spoken of.
function views.ring_place(view, lo, hi)
  local acked, protocol_acked = view.acked, view.protocol_acked
  if acked and has_bit(acked[1], acked[2], ACCESS_PLATFORM) then return nil end
  local bit = view.bits.numbers.GPA_ADDRESSES
  local by_guest = bit ~= nil and protocol_acked ~= nil and has_bit(protocol_acked[1], protocol_acked[2], bit)
  return views.place(view, lo, hi, by_guest)
end

return views
