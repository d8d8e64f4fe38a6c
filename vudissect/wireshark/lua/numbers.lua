-- Integers in messages, and how people read them. A 64-bit number is two numbers, low and high half: those of Lua 5.2
-- are doubles. Nothing may depend on whether a number is an integer or a float to Lua 5.4.

local byte, format, floor = string.byte, string.format, math.floor

local numbers = {}

local HALF = 4294967296

-- Readers by byte order; positions count from 1.
local little, big = {}, {}
numbers.little, numbers.big = little, big

function little.u8(s, at) return byte(s, at) end
function little.u16(s, at)
  local a, b = byte(s, at, at + 1)
  return a + b * 256
end
function little.u32(s, at)
  local a, b, c, d = byte(s, at, at + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end
function little.u64(s, at)
  local a, b, c, d, e, f, g, h = byte(s, at, at + 7)
  return a + b * 256 + c * 65536 + d * 16777216, e + f * 256 + g * 65536 + h * 16777216
end

function big.u8(s, at) return byte(s, at) end
function big.u16(s, at)
  local a, b = byte(s, at, at + 1)
  return a * 256 + b
end
function big.u32(s, at)
  local a, b, c, d = byte(s, at, at + 3)
  return a * 16777216 + b * 65536 + c * 256 + d
end
function big.u64(s, at)
  local a, b, c, d, e, f, g, h = byte(s, at, at + 7)
  return e * 16777216 + f * 65536 + g * 256 + h, a * 16777216 + b * 65536 + c * 256 + d
end

-- An unsigned integer of `size` bytes, as low and high half.
function numbers.read(order, s, at, size)
  if size == 8 then return order.u64(s, at) end
  if size == 4 then return order.u32(s, at), 0 end
  if size == 2 then return order.u16(s, at), 0 end
  return byte(s, at), 0
end

-- `width` bits from bit `low` up.
function numbers.part(lo, hi, low, width)
  if low >= 32 then lo, hi, low = hi, 0, low - 32 end
  if low > 0 then
    local unit = 2 ^ low
    lo, hi = floor(lo / unit) + (hi % unit) * floor(HALF / unit), floor(hi / unit)
  end
  if width <= 32 then return lo % floor(2 ^ width), 0 end
  return lo, hi % floor(2 ^ (width - 32))
end

local UNITS_OF_BITS = {}
for bit = 0, 31 do
  UNITS_OF_BITS[bit], UNITS_OF_BITS[bit + 32] = floor(2 ^ bit), floor(2 ^ bit)
end

function numbers.has_bit(lo, hi, bit)
  return floor((bit >= 32 and hi or lo) / UNITS_OF_BITS[bit]) % 2 == 1
end

-- Whether a <= b.
function numbers.not_above(a_lo, a_hi, b_lo, b_hi)
  return a_hi < b_hi or (a_hi == b_hi and a_lo <= b_lo)
end

-- a - b, modulo 2^64.
function numbers.minus(a_lo, a_hi, b_lo, b_hi)
  local lo, hi = a_lo - b_lo, a_hi - b_hi
  if lo < 0 then lo, hi = lo + HALF, hi - 1 end
  if hi < 0 then hi = hi + HALF end
  return lo, hi
end

-- a - b as one number, exact to 2^53; for durations.
function numbers.difference(a_lo, a_hi, b_lo, b_hi)
  return (a_hi - b_hi) * HALF + (a_lo - b_lo)
end

function numbers.decimal(lo, hi)
  if hi == 0 then return format("%d", lo) end
  -- Two divisions by 10^7, halves of 32 bits cut in two so that nothing goes beyond 2^53.
  local digits = {}
  for place = 1, 3 do
    local rest = hi % 10000000
    hi = floor(hi / 10000000)
    local upper = rest * 65536 + floor(lo / 65536)
    local quotient = floor(upper / 10000000)
    rest = upper % 10000000
    local lower = rest * 65536 + lo % 65536
    lo = quotient * 65536 + floor(lower / 10000000)
    digits[place] = lower % 10000000
    if lo >= HALF then hi, lo = hi + floor(lo / HALF), lo % HALF end
  end
  local text = format("%d%07d%07d", digits[3], digits[2], digits[1])
  return (text:gsub("^0+", ""))
end

function numbers.hex(lo, hi)
  if hi == 0 then return format("0x%x", lo) end
  return format("0x%x%08x", hi, lo)
end

-- An address or offset: hexadecimal, but a plain 0.
function numbers.address(lo, hi)
  if hi == 0 then return lo == 0 and "0" or format("0x%x", lo) end
  return format("0x%x%08x", hi, lo)
end

-- A number of `size` bytes with a sign.
function numbers.signed(lo, hi, size)
  local negative
  if size == 8 then negative = hi >= 2147483648 else negative = lo >= 2 ^ (size * 8 - 1) end
  if not negative then return lo, hi, false end
  if size == 8 then
    lo, hi = numbers.minus(0, 0, lo, hi)
    return lo, hi, true
  end
  return floor(2 ^ (size * 8)) - lo, 0, true
end

local UNITS = { { 40, "T" }, { 30, "G" }, { 20, "M" }, { 10, "K" } }

-- A number of bytes in the largest unit that leaves nothing out: 256M, 4K, 1056.
function numbers.size(lo, hi)
  if lo == 0 and hi == 0 then return "0" end
  for _, unit in ipairs(UNITS) do
    local bits, letter = unit[1], unit[2]
    local whole
    if bits >= 32 then
      whole = lo == 0 and hi % floor(2 ^ (bits - 32)) == 0
    else
      whole = lo % floor(2 ^ bits) == 0
    end
    if whole then
      local count_lo, count_hi = numbers.part(lo, hi, bits, 64 - bits)
      return numbers.decimal(count_lo, count_hi) .. letter
    end
  end
  return numbers.decimal(lo, hi)
end

-- A number with `digits` that matter, as %g writes it.
local function three_digits(value) return format("%.3g", value) end

-- A duration with three digits that matter: 87us, 1.24ms, 2.03s.
function numbers.duration(nanoseconds)
  if nanoseconds < 0 then return "-" .. numbers.duration(-nanoseconds) end
  if nanoseconds < 999500 then return three_digits(nanoseconds / 1000) .. "us" end
  if nanoseconds < 999500000 then return three_digits(nanoseconds / 1000000) .. "ms" end
  if nanoseconds < 10000000000 then return format("%.3fs", nanoseconds / 1000000000) end
  return format("%.1fs", nanoseconds / 1000000000)
end

function numbers.plain_hex(s)
  return (s:gsub(".", function(c) return format("%02x", byte(c)) end))
end

-- Bytes in hexadecimal, at most `most` of them, and how many there are beyond.
-- Bytes in hexadecimal, at most `most`; five or more equal ones are one and their number, as `05 00*255`.
function numbers.whole_hex(s, most)
  local parts, at, stop = {}, 1, most and math.min(#s, most) or #s
  while at <= stop do
    local value, last = byte(s, at), at
    while last < stop and byte(s, last + 1) == value do last = last + 1 end
    if last - at >= 4 then
      parts[#parts + 1] = format("%02x*%d", value, last - at + 1)
    else
      for _ = at, last do parts[#parts + 1] = format("%02x", value) end
    end
    at = last + 1
  end
  local text = table.concat(parts, " ")
  if #s > stop then return format("%s ... (%d bytes)", text, #s) end
  return text
end

function numbers.hex_bytes(s, most)
  local text = s:sub(1, most):gsub(".", function(c) return format("%02x ", byte(c)) end):sub(1, -2)
  if #s <= most then return text end
  return format("%s ... (%d bytes)", text, #s)
end

return numbers
