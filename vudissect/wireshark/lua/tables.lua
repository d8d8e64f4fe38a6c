-- The generated tables, with what is named in place of its name. Rows, layouts and fields are looked up once, here.

local tables = { fields = {}, devices = {} }

local NONE = {}

for _, row in ipairs(T.fields) do
  row.choices = next(row[5]) and row[5] or nil
  tables.fields[row[8] or row[1]] = row
end

-- Words of bits: by number as {name, field, old names}, `names` as {bit = name}, `numbers` by name and old name.
for _, word in pairs(T.words) do
  local names, bits = {}, {}
  for bit, each in pairs(word) do
    if bit ~= "unnamed" then
      names[bit], bits[each[1]] = each[1], bit
      for _, old in ipairs(each[3] or NONE) do bits[old] = bit end
    end
  end
  word.names, word.numbers = names, bits
end
tables.features = T.words.features

local function look_up(fields)
  local by = {}
  for _, field in ipairs(fields) do
    field.w = field.w and T.words[field.w]
    field.c = tables.fields[field.f].choices
    by[field.n] = field
  end
  return by
end

for key, layout in pairs(T.layouts) do
  layout.key = key
  layout.fields = layout.fields or NONE
  layout.by = look_up(layout.fields)
  if layout.array then layout.array.by = look_up(layout.array.fields) end
end

local function layouts(names)
  local found = {}
  for place, name in ipairs(names or NONE) do found[place] = T.layouts[name] end
  return found
end

local function with_layouts(row)
  row.request, row.reply = layouts(row.request), layouts(row.reply)
  return row
end

for _, row in ipairs(T.rows) do with_layouts(row) end

-- The rows of a dialect: upstream's as of a release, without some, and its own.
local function rows_of(dialect)
  local rows = { {}, {}, {} }
  for _, row in ipairs(T.rows) do
    if not dialect.as_of or row.since <= dialect.as_of then rows[row.channel + 1][row.id] = row end
  end
  for channel, of_channel in ipairs(rows) do
    for _, id in ipairs(dialect.without and dialect.without[channel] or NONE) do of_channel[id] = nil end
    for id, row in pairs(dialect.rows and dialect.rows[channel] or NONE) do of_channel[id] = with_layouts(row) end
  end
  return rows
end

for _, dialect in ipairs(T.dialects) do
  dialect.rows = rows_of(dialect)
  dialect.bits = T.words[dialect.bits]
end

for _, device in ipairs(T.devices) do
  tables.devices[device.name] = device
  device.fields = device.fields or NONE
  look_up(device.fields)
  device.features = T.words[device.features]
end

return tables
