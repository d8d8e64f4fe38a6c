-- Bytes to messages, by the tables: which row, which form of the payload, and what is wrong with it.

local floor = math.floor
local numbers_read = numbers.read

local decode = {}

local HEADER = 12
local NAMED = 8
local NONE = {}
decode.HEADER = HEADER

-- Which side asks, by channel: what the other one sends are answers.
local INITIATOR = { [0] = 0, [1] = 1, [2] = 1 }

-- An integer field of a payload that begins at `start`, as halves.
function decode.value(message, field)
  return numbers_read(message.order, message.data, HEADER + 1 + field.o, field.z)
end

-- The field of a name, as one number (exact below 2^53); nil if the form has none.
function decode.number(message, name)
  local field = message.layout and message.layout.by[name]
  if not field then return nil end
  local lo, hi = decode.value(message, field)
  return lo + hi * 4294967296
end

-- A part of the first field, or a whole field, by name: as one number.
function decode.find(message, name)
  local layout = message.layout
  if not layout then return nil end
  local number = decode.number(message, name)
  if number then return number end
  for _, field in ipairs(layout.fields) do
    for _, part in ipairs(field.p or NONE) do
      if part.n == name then
        local lo, hi = decode.value(message, field)
        lo, hi = numbers.part(lo, hi, part.low, part.width)
        return lo + hi * 4294967296
      end
    end
  end
  return nil
end

local function product(layout, message, factors)
  local length = 1
  for _, factor in ipairs(factors) do
    if type(factor) == "table" then
      local lo, hi = decode.value(message, layout.fields[factor.field])
      length = length * (lo + hi * 4294967296)
    else
      length = length * factor
    end
  end
  return length
end

-- Whether a payload of `size` bytes, of which `there` are here, has this form.
local function fits(layout, message, size, there)
  if layout.size >= 0 then
    if layout.size ~= size then return false end
  elseif size < layout.fixed then
    return false
  end
  if there < layout.fixed then return false end
  local when = layout.when
  if when then
    local lo, hi = decode.value(message, layout.fields[when.field])
    if hi ~= 0 or not when.values[lo] then return false end
  end
  local wanted, array, tail = size - layout.fixed, layout.array, layout.tail
  if array then
    local count = array.count
    if array.counted_by then
      count = decode.value(message, layout.fields[array.counted_by])
    elseif not count then
      count = floor(wanted / array.size)
    end
    if wanted ~= count * array.size then return false end
    message.count = floor((there - layout.fixed) / array.size)
  elseif tail then
    if tail.factors and product(layout, message, tail.factors) ~= wanted then return false end
  end
  return true
end

local function expected(layouts)
  local texts, seen = {}, {}
  for _, layout in ipairs(layouts) do
    local text = layout.size_text
    if not seen[text] then
      seen[text] = true
      texts[#texts + 1] = text
    end
  end
  return table.concat(texts, " or ")
end

local function payload(message, layouts)
  local there = #message.data - HEADER
  if there > message.size then there = message.size end
  message.there = there
  for _, layout in ipairs(layouts) do
    if fits(layout, message, message.size, there) then
      message.layout = layout
      return nil
    end
  end
  if #layouts == 0 then return "takes no reply" end
  return string.format("payload is %s bytes, expected %s", numbers.decimal(message.size, 0), expected(layouts))
end

local function flags_problem(message, dialect, is_gpu)
  if is_gpu then return nil end
  if message.is_reply ~= message.has_reply_flag then
    return message.is_reply and "a reply without the REPLY flag" or "a request with the REPLY flag"
  end
  for _, version in ipairs(dialect.versions) do
    if version == message.version then return nil end
  end
  return string.format("version %d, expected %s", message.version, table.concat(dialect.versions, " or "))
end

-- The message in `data`. `length_lo` and `length_hi` say how many bytes there were on the wire, of which the first are
-- here. Nothing of it changes later, so that equal messages can share one.
function decode.message(dialect, channel, sender, is_big, data, length_lo, length_hi)
  local message = {
    data = data,
    order = is_big and numbers.big or numbers.little,
    is_big = is_big,
    channel = channel,
    sender = sender,
    is_reply = sender ~= INITIATOR[channel],
    id = 0,
    flags = 0,
    size = 0,
    version = 0,
    there = 0,
  }
  -- Number and flags are all that some logs have of a message.
  message.is_named = #data == NAMED and (length_hi > 0 or length_lo >= HEADER)
  if message.is_named then
    data = data .. string.rep("\0", HEADER - #data)
  elseif #data < HEADER then
    message.problem = string.format("header cut short: %s of 12 bytes", numbers.decimal(length_lo, length_hi))
    message.name = "message 0"
    return message
  end
  local number, flags, size = message.order.u32(data, 1), message.order.u32(data, 5), message.order.u32(data, 9)
  local rest = floor(flags / 4)
  message.version = flags % 4
  message.has_reply_flag = rest % 2 == 1
  message.need_reply = floor(rest / 2) % 2 == 1
  message.reserved = flags - flags % 16
  message.flags, message.size = flags, size
  if dialect.error > 0 and floor(number / 2 ^ (dialect.error - 1)) % 2 == 1 then
    message.is_error = true
    number = number - floor(2 ^ (dialect.error - 1))
  end
  message.id = number
  local row = dialect.rows[channel + 1][number]
  local problem
  if message.is_error and not message.is_reply then row = nil end
  if not row then
    problem = "unknown message"
  elseif message.is_named then
    message.row = row
  else
    message.row = row
    if message.is_error then
      problem = payload(message, row.request)
    else
      problem = payload(message, message.is_reply and row.reply or row.request)
    end
  end
  message.name = row and row.name or string.format("message %s", numbers.decimal(number, 0))
  local missing = length_hi == 0 and length_lo < HEADER + size
  if missing then
    problem = string.format("cut short: %s of %s payload bytes", numbers.decimal(length_lo - HEADER, 0),
      numbers.decimal(size, 0))
  elseif message.is_error and not message.is_reply then
    problem = "a request with the error bit"
  end
  message.is_cut = missing
  if length_hi > 0 or length_lo > #data then message.sent = numbers.decimal(length_lo, length_hi) end
  message.problem = problem or flags_problem(message, dialect, channel == 2)
  local usual = (channel == 2 and 0 or dialect.versions[1]) + (message.is_reply and 4 or 0)
  if message.need_reply and not message.is_reply and channel ~= 2 then usual = usual + 8 end
  if flags ~= usual and not (message.problem and row) then message.odd_flags = string.format("%#x", flags) end
  return message
end

return decode
