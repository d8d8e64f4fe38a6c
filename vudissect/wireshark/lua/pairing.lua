-- Which reply belongs to which request: on each channel the oldest one of its number that waits.

local pairing = {}

-- Nobody has as many; a hostile peer must not fill the memory.
local MOST_WAITING = 4096
-- A request keeps the bytes that it came with, of which its time is read; of more bytes only the record header.
local MOST_BYTES, RECORD = 512, 48

local sub = string.sub

-- The requests of a channel that wait, by place from `first` to `last`; the latest answered ones by number, and the
-- frames of their answers; the frames of the latest ones that were not to be answered. `spare` is a request that nobody
-- asks for any more, to be used again: that is quicker than to make one.
function pairing.new()
  return { first = 1, last = 0, answered = {}, answered_in = {}, unasked = {}, any_answered = false }
end

-- A request waits; `owed` tells whether it must be answered.
function pairing.ask(waiting, frame, message, owed, s)
  local first, last = waiting.first, waiting.last + 1
  if first == last then -- nothing waits: from the beginning, so that the table does not move through memory
    last = 1
    waiting.first = 1
  elseif last - first >= MOST_WAITING then
    waiting[first] = nil
    waiting.first = first + 1
  end
  waiting.last = last
  if #s > MOST_BYTES then s = sub(s, 1, RECORD) end
  local used = waiting.spare
  if used then
    waiting.spare, waiting[last] = nil, used
    used.frame, used.message, used.owed, used.s, used.withheld = frame, message, owed, s, nil
  else
    waiting[last] = { frame = frame, message = message, owed = owed, s = s }
  end
end

-- The oldest request of a number; requests before it that merely could have been answered will not be.
local function overtaking(waiting, id)
  local place
  for at = waiting.first, waiting.last do
    if waiting[at].message.id == id then
      place = at
      break
    end
  end
  if not place then return nil end
  local request, kept = waiting[place], {}
  for at = waiting.first, place do
    local other = waiting[at]
    if at < place and other.owed then kept[#kept + 1] = other end
    waiting[at] = nil
  end
  waiting.first = place + 1 - #kept
  for at, other in ipairs(kept) do waiting[waiting.first + at - 1] = other end
  return request
end

-- The request that a reply of this number answers, which waits no longer; nil if there is none.
function pairing.answer(waiting, id, frame)
  local first = waiting.first
  local request = waiting[first]
  if request and request.message.id == id then
    waiting[first] = nil
    waiting.first = first + 1
  else
    request = overtaking(waiting, id)
  end
  if request and request.message.row then
    local answered = waiting.answered
    waiting.spare = answered[id]
    answered[id], waiting.answered_in[id] = request, frame
    waiting.any_answered = true
  end
  return request
end

-- The request that a reply of this number answers, which goes on waiting: a fault withheld the reply.
function pairing.withhold(waiting, id, frame)
  for at = waiting.first, waiting.last do
    local request = waiting[at]
    if request.message.id == id and not request.withheld then
      request.withheld = frame
      return request
    end
  end
  return nil
end

-- Mark the latest request as one that was withheld itself.
function pairing.unseen(waiting, frame) waiting[waiting.last].withheld = frame end

-- Forget the withheld request of this number: another one was sent in its place.
function pairing.withdraw(waiting, id)
  for at = waiting.first, waiting.last do
    local request = waiting[at]
    if request.message.id == id and request.withheld == request.frame then
      for after = at, waiting.last do waiting[after] = waiting[after + 1] end
      waiting.last = waiting.last - 1
      return
    end
  end
end

-- The requests that are owed an answer, oldest first.
function pairing.owed(waiting)
  local owed = {}
  for at = waiting.first, waiting.last do
    if waiting[at].owed then owed[#owed + 1] = waiting[at] end
  end
  return owed
end

-- Whether the request of a frame is owed an answer that has not come.
function pairing.is_open(waiting, frame)
  for at = waiting.first, waiting.last do
    if waiting[at].frame == frame then return waiting[at].owed end
  end
  return false
end

return pairing
