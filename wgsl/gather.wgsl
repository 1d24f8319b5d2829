// gather:  out[o, j, i] = x[o, row, i], where row is what index tuple j (or, ALONG, the index at [o, j, i]) names
// oneHot:  hot[j, c]    = on where index j is c, else off
//
//   indices  (positions · depth,)    read, int32; a tuple of `depth` indices names one row: row = Σ_d index_d · stride_d
//   errors   (4,)                    the device's error record: op number, position, value, limit
//   x        (outer, rows, inner)    read, any dtype of 32-bit words; all but gather read four words at a time
//   out      (outer, m, inner)       one invocation owns one element (gather4: four neighbours, gather16: 16, gather64: 64), `=`
//   hot      (positions, columns)    one invocation owns one element, `=`
//
// NumPy's negative indices count from the end, but not for oneHot. An index that is out of range writes `missing` and is
// reported, the first one of all, unless params.op is 0. ALONG: indices has out's shape, and outer, m, inner are the
// axes around the axis.

override ALONG: bool = false;

struct Params {
  count: u32,                  // invocations
  depth: u32,
  op: u32,                     // the op's number in the error record
  outerStride: u32,            // rows · inner, in units of what one invocation moves
  inner: vec4u,                // divisor, multiplier, shift
  perOuter: vec4u,             // m: divisor, multiplier, shift
  missing: u32,                // bits
  on: u32,
  off: u32,
  blocks: u32,                 // of 16 words, that an invocation of gather64 moves
  extent: array<vec4u, 2>,     // of the indexed axes; the top bit: negative indices do not count from the end
  stride: array<vec4u, 2>,     // of the indexed axes, in rows
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> errors: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> x: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;
@group(0) @binding(3) var<storage, read> x4: array<vec4u>;
@group(0) @binding(4) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> hot: array<u32>;

const MISSING = 0xffffffffu;

// The upper 32 bits of the 64-bit product.
fn mulHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let cross = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (cross >> 16u);
}

// ⌊n / by.x⌋ for n < 2^31
fn divideBy(n: u32, by: vec4u) -> u32 {
  return select(mulHigh(n, by.y) >> by.z, n, by.x == 1u);
}

// Keeps the first offence of all.
fn reportIndex(position: u32, value: i32, limit: u32) {
  if (params.op == 0u) {
    return;
  }
  var claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  while (!claim.exchanged && claim.old_value == 0u) {
    claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  }
  if (claim.exchanged) {
    atomicStore(&errors[1], position);
    atomicStore(&errors[2], bitcast<u32>(value));
    atomicStore(&errors[3], limit);
  }
}

// The row that an index tuple names, or MISSING.
fn rowOf(tuple: u32) -> u32 {
  var row = 0u;
  for (var d = 0u; d < params.depth; d++) {
    let position = tuple * params.depth + d;
    let word = params.extent[d >> 2u][d & 3u];
    let limit = word & 0x7fffffffu;
    let value = indices[position];
    let index = select(value, value + i32(limit), value < 0 && word == limit);
    if (index < 0 || u32(index) >= limit) {
      reportIndex(position, value, word);
      return MISSING;
    }
    row += u32(index) * params.stride[d >> 2u][d & 3u];
  }
  return row;
}

// Where element `index` of the result comes from, or MISSING.
fn sourceOf(index: u32) -> u32 {
  let tuple = divideBy(index, params.inner);
  let column = index - tuple * params.inner.x;
  let outer = divideBy(tuple, params.perOuter);
  var position = tuple - outer * params.perOuter.x;
  if (ALONG) {
    position = index;
  }
  let row = rowOf(position);
  return select(outer * params.outerStride + row * params.inner.x + column, MISSING, row == MISSING);
}

@compute @workgroup_size(64)
fn gather(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = sourceOf(index);
  if (address == MISSING) {
    out[index] = params.missing;
  } else {
    out[index] = x[address];
  }
}

@compute @workgroup_size(64)
fn gather4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = sourceOf(index);
  if (address == MISSING) {
    out4[index] = vec4u(params.missing);
  } else {
    out4[index] = x4[address];
  }
}

// Moves block `block` of x, 16 words, to block `to` of out.
fn moveSixteen(to: u32, block: u32, missing: bool) {
  var a = vec4u(params.missing);
  var b = a;
  var c = a;
  var d = a;
  if (!missing) {
    a = x4[4u * block];
    b = x4[4u * block + 1u];
    c = x4[4u * block + 2u];
    d = x4[4u * block + 3u];
  }
  out4[4u * to] = a;
  out4[4u * to + 1u] = b;
  out4[4u * to + 2u] = c;
  out4[4u * to + 3u] = d;
}

@compute @workgroup_size(64)
fn gather16(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = sourceOf(index);
  moveSixteen(index, address, address == MISSING);
}

@compute @workgroup_size(64)
fn gather64(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = sourceOf(index);
  for (var i = 0u; i < params.blocks; i++) {
    moveSixteen(index * params.blocks + i, address * params.blocks + i, address == MISSING);
  }
}

@compute @workgroup_size(64)
fn oneHot(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let tuple = divideBy(index, params.inner);
  let row = rowOf(tuple);
  let word = select(params.off, params.on, row == index - tuple * params.inner.x);
  hot[index] = select(word, params.missing, row == MISSING);
}
