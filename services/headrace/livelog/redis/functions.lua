-- The live log's operations, each one step that nobody sees half of. The name below is the library's version: a changed
-- file needs a new number, since servers keep what they have, and old and new writers work side by side meanwhile.
--
-- Keys, one hash tag {run}: h fence,n,pub,id,... · c head: the run's start, each rung's init, and
-- the one that its window begins with · p rung -> position
-- g staged and not yet published · s published (streams, ids n-0) · t:<part> staged bytes · b:<part> published bytes.
-- Parts' bytes never pass through here: publishing renames their keys, so that nobody gets what nobody published.
-- Fields of an entry in g: id, entry, kind, rung, part. In s: id, entry, part, init (the rung of an init section).

local function fenced(fence)
  local session, attempt = string.match(fence, '^(%d+) (%d+) ')
  return {'FENCED', session, attempt}
end

-- `key` is new: it goes when the run goes.
local function expire_with(h, key)
  redis.call('EXPIRE', key, redis.call('TTL', h))
end

-- KEYS h c p g s · ARGV session attempt session_id writer take fence floor open live_s
local function takeover(keys, args)
  local h, c, p, g, s = keys[1], keys[2], keys[3], keys[4], keys[5]
  local session, attempt, take = tonumber(args[1]), tonumber(args[2]), tonumber(args[5])
  local held = redis.call('HMGET', h, 'session', 'attempt', 'session_id', 'writer', 'take', 'n', 'pub', 'id', 'ended',
    'fence')
  if not held[1] then
    if args[8] ~= '1' then
      return {'EMPTY'}
    end
    redis.call('DEL', c, p, g, s)
    held = {'', '', '', '', '', '0', '0', '', '0'}
    redis.call('HSET', h, 'n', '0', 'pub', '0', 'id', '', 'pid', '', 'ended', '0', 'oldest', '0', 'tn', '0', 'tid', '')
  else
    local held_session, held_attempt = tonumber(held[1]), tonumber(held[2])
    if session < held_session or (session == held_session and attempt < held_attempt) then
      return fenced(held[10])
    end
    if session == held_session and args[3] ~= held[3] then
      return fenced(held[10])
    end
    if session == held_session and attempt == held_attempt and (args[4] ~= held[4] or take < tonumber(held[5])) then
      return fenced(held[10])
    end
    -- An End that its writer staged and did not live to publish is there for the next one to publish.
    if held[9] == '1' and held[6] == held[7] then
      return {'ENDED'}
    end
    local positions, least = redis.call('HVALS', p), nil
    for _, position in ipairs(positions) do
      local start = tonumber(string.match(position, '^%d+ %d+ (%d+) '))
      if not least or start < least then
        least = start
      end
    end
    if (least or 0) < tonumber(args[7]) then
      return {'STALE'}
    end
  end
  redis.call('HSET', h, 'session', args[1], 'attempt', args[2], 'session_id', args[3], 'writer', args[4], 'take', args[5],
    'fence', args[6])
  for _, key in ipairs(keys) do
    redis.call('EXPIRE', key, args[9])
  end
  return {'OK', held[6], held[7], held[8], redis.call('HGETALL', p)}
end

-- KEYS h p g s t · ARGV fence n kind rung place first after independent encoder part entry
local function stage(keys, args)
  local h, p, g, s, t = keys[1], keys[2], keys[3], keys[4], keys[5]
  local held = redis.call('HMGET', h, 'fence', 'n', 'pub', 'id', 'ended')
  local kind, rung, entry = args[3], args[4], args[11]
  if not held[1] then
    return {'EMPTY'}
  end
  if held[1] ~= args[1] then
    return fenced(held[1])
  end
  if held[5] == '1' then
    return {'ENDED'}
  end
  local n, last = tonumber(args[2]), tonumber(held[2])
  if n <= last then
    local published = n <= tonumber(held[3])
    local found = redis.call('XRANGE', published and s or g, args[2] .. '-0', args[2] .. '-0')[1]
    if not found or found[2][4] ~= entry then
      return {'CONFLICT', held[2]}
    end
    if published and kind == 'part' then
      redis.call('DEL', t)
    end
    return {'OK', args[2], found[2][2]}
  end
  if n > last + 1 then
    return {'BEHIND', held[2]}
  end
  if kind == 'part' or kind == 'gap' then
    local position = redis.call('HGET', p, rung)
    local encoder = ''
    if position then
      local place
      place, encoder = string.match(position, '^(%d+ %d+ %d+ %d+) %d (.*)$')
      if place ~= args[5] then
        return {'POSITION', position}
      end
    elseif args[6] ~= '1' then
      return {'POSITION', ''}
    end
    if kind == 'part' and args[8] ~= '1' and encoder ~= args[9] then
      return {'SPLICE', encoder}
    end
    if kind == 'part' and redis.call('EXISTS', t) == 0 then
      return {'BYTES'}
    end
    redis.call('HSET', p, rung, args[7])
    if not position then
      expire_with(h, p)
    end
  end
  local id = redis.sha1hex(held[4] .. entry)
  redis.call('XADD', g, args[2] .. '-0', 'id', id, 'entry', entry, 'kind', kind, 'rung', rung, 'part', args[10])
  if last == 0 then
    expire_with(h, g)
  end
  redis.call('HSET', h, 'n', args[2], 'id', id, 'ended', kind == 'end' and '1' or '0')
  return {'OK', args[2], id}
end

-- KEYS h c p g s, t of each part · ARGV fence n channel t_prefix b_prefix bytes_s oldest trimmed_n trimmed_id live_s ended_s
local function publish(keys, args)
  local h, c, g, s = keys[1], keys[2], keys[4], keys[5]
  local held = redis.call('HMGET', h, 'fence', 'n', 'pub', 'ended')
  if not held[1] then
    return {'EMPTY'}
  end
  if held[1] ~= args[1] then
    return fenced(held[1])
  end
  local n, shown = tonumber(args[2]), tonumber(held[3])
  if n > tonumber(held[2]) then
    return {'BEHIND', held[2]}
  end
  if n <= shown then
    return {'OK', held[3]}
  end
  local id = ''
  for _, staged in ipairs(redis.call('XRANGE', g, string.format('%.0f-0', shown + 1), args[2] .. '-0')) do
    local fields = staged[2]
    local entry, kind, part = fields[4], fields[6], fields[10]
    id = fields[2]
    if kind == 'part' then
      -- Bytes that were staged long ago have expired, and cannot be renamed: their part is published without them.
      if not redis.pcall('RENAME', args[4] .. part, args[5] .. part).err then
        redis.call('EXPIRE', args[5] .. part, args[6])
      end
    elseif kind == 'run' then
      redis.call('HSET', c, 'run', entry)
      expire_with(h, c)
    elseif kind == 'init' then
      redis.call('HSET', c, 'init:' .. fields[8], entry)
      expire_with(h, c)
    end
    redis.call('XADD', s, staged[1], 'id', id, 'entry', entry, 'part', part, 'init', kind == 'init' and fields[8] or '')
    redis.call('SPUBLISH', args[3], string.match(staged[1], '^%d+') .. ' ' .. id .. ' ' .. entry)
  end
  if shown == 0 then
    expire_with(h, s)
  end
  redis.call('XTRIM', g, 'MINID', string.format('%.0f-0', n + 1))
  redis.call('HSET', h, 'pub', args[2], 'pid', id)
  local trimmed = tonumber(args[8])
  if trimmed > 0 and trimmed < n then
    for _, forgotten in ipairs(redis.call('XRANGE', s, '-', args[8] .. '-0')) do
      if forgotten[2][8] ~= '' then
        redis.call('HSET', c, 'opening:' .. forgotten[2][8], forgotten[2][4])
      end
    end
    redis.call('XTRIM', s, 'MINID', string.format('%.0f-0', trimmed + 1))
    redis.call('HSET', h, 'oldest', args[7], 'tn', args[8], 'tid', args[9])
  end
  if held[4] == '1' and args[2] == held[2] then
    for _, key in ipairs(keys) do
      redis.call('EXPIRE', key, args[11])
    end
    -- Whoever paused near the end still watches it to the end.
    for _, published in ipairs(redis.call('XRANGE', s, '-', '+')) do
      if published[2][6] ~= '' then
        redis.call('EXPIRE', args[5] .. published[2][6], args[11])
      end
    end
  elseif args[10] ~= '' then
    for _, key in ipairs(keys) do
      redis.call('EXPIRE', key, args[10])
    end
  end
  return {'OK', args[2]}
end

-- Not the entries: XRANGE in the same round trip gets them in a seventh of the time that it takes from here.
-- KEYS h c s · ARGV n id
local function read(keys, args)
  local h, c, s = keys[1], keys[2], keys[3]
  local held = redis.call('HMGET', h, 'pub', 'pid', 'oldest', 'ended', 'n', 'tn', 'tid')
  if not held[1] then
    return {'EMPTY'}
  end
  local n, shown, trimmed = tonumber(args[1]), tonumber(held[1]), tonumber(held[6])
  local known = n > 0 and n == trimmed and args[2] == held[7]
  if n > trimmed and n <= shown then
    local found = redis.call('XRANGE', s, args[1] .. '-0', args[1] .. '-0')[1]
    known = found ~= nil and found[2][2] == args[2]
  end
  local over = (held[4] == '1' and held[5] == held[1]) and '1' or '0'
  return {'OK', held[1], held[2], held[3], over, known and '0' or '1', known and {} or redis.call('HGETALL', c)}
end

redis.register_function('headrace_1_takeover', takeover)
redis.register_function('headrace_1_stage', stage)
redis.register_function{function_name = 'headrace_1_publish', callback = publish, flags = {'allow-oom'}}
redis.register_function{function_name = 'headrace_1_read', callback = read, flags = {'no-writes'}}
