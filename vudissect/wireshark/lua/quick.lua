-- The short way for those of which there are many: messages that were decoded before, change nothing but what is waited
-- for, and have nothing wrong with them as long as nothing is negotiated. It comes to what the long way comes to.

local ask, answer = pairing.ask, pairing.answer
local pair = session.pair
local plain, answer_text = text.plain, text.answer

-- Takes in a message for the first time: its text, and the view of its connection; nil if it has to go the long way.
local function quick(this, message, frame, s)
  local connection = this.connection_state
  if not connection or not message.is_quick or not this.is_plain then return nil end
  local waiting, view = connection.waiting[message.channel], connection.view
  if message.is_reply then
    local first, id = waiting[waiting.first], message.id
    if not first or first.message.id ~= id then return nil end
    local asked, latency = pair(connection, answer(waiting, id, frame), frame, s)
    return answer_text(message.view == view and message.text or plain(message, this, view), asked, latency, frame), view
  end
  local owed = view.owes[message.row]
  if owed then
    ask(waiting, frame, message, true, s)
  elseif owed == false then
    waiting.unasked[message.id] = frame
  else
    return nil
  end
  return message.view == view and message.text or plain(message, this, view), view
end

return quick
