// out[o, r, i] = x[o, r, i] + Σ_j updates[o, j, i] over the j whose index tuple names row r, added in ascending j;
// SET: the last of those updates replaces x instead. bincount: tallies[r] = how many indices are r, none of them < 0.
//
// Each element of out has one owner, which adds its n updates in order, in blocks of 32 and of 1024, so that the error
// is at most 66 + n / 1024 roundings of |x| + Σ|updates|: no float is ever added atomically. The order comes from a
// stable radix sort of the rows that the updates name (markRows, then countDigits, scanDigits and placeDigits for each
// four bits, then findStarts, then addSorted or addSorted4), or, for small sizes, from a look at every update (markRows,
// addScanned).
//
//   indices   (m · depth,)        read, int32; a tuple of `depth` indices names one row: row = Σ_d index_d · stride_d
//   errors    (4,)                the device's error record: op number, position, value, limit
//   rowOut    (m,)                markRows: row of each update, `rows` for an index out of range; one owner each, `=`
//   digits    (16, chunks)        how many rows of a chunk have a digit; after scanDigits where the first one goes
//   rowIn, orderIn, orderOut (m,) rows and positions of the updates before and after a pass; an owner per chunk, `=`
//   starts    (rows + 1,)         where each row's updates start among the sorted ones; one owner each, `=`
//   x, out    (outer, rows, inner), updates (outer, m, inner)   float32 or int32 words; one owner per element of out, `=`
//   tallies   (rows,)             int32, cleared, then counted by integer atomics, which give the same sum in any order
//
// ALONG: indices has the shape (outer, m, inner), and each element of it is an update of its own, to row
// (o · extent + index) · inner + i of a flat x; the later steps see outer = inner = 1.

override ALONG: bool = false;
override FLOAT: bool = true;
override SET: bool = false;

struct Params {
  count: u32,                  // invocations
  depth: u32,
  op: u32,                     // the op's number in the error record
  rows: u32,
  inner: vec4u,                // divisor, multiplier, shift
  perOuter: vec4u,             // markRows: m; later: rows; divisor, multiplier, shift
  m: u32,
  chunk: u32,
  chunks: u32,
  shift: u32,                  // of the digit
  extent: array<vec4u, 2>,     // of the indexed axes; the top bit: negative indices do not count from the end
  stride: array<vec4u, 2>,     // of the indexed axes, in rows
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> errors: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> rowMarks: array<u32>;
@group(0) @binding(3) var<storage, read_write> tallies: array<atomic<u32>>;

@group(0) @binding(1) var<storage, read_write> vacant: array<u32>;

@group(0) @binding(1) var<storage, read> rowIn: array<u32>;
@group(0) @binding(2) var<storage, read_write> digits: array<u32>;
@group(0) @binding(2) var<storage, read_write> starts: array<u32>;
@group(0) @binding(1) var<storage, read_write> totals: array<u32>;

@group(0) @binding(2) var<storage, read> orderIn: array<u32>;
@group(0) @binding(3) var<storage, read> firsts: array<u32>;
@group(0) @binding(4) var<storage, read_write> rowOut: array<u32>;
@group(0) @binding(5) var<storage, read_write> orderOut: array<u32>;

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> updates: array<u32>;
@group(0) @binding(3) var<storage, read> rowList: array<u32>;
@group(0) @binding(4) var<storage, read_write> scanned: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> bounds: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> x4: array<vec4u>;
@group(0) @binding(2) var<storage, read> updates4: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> out4: array<vec4u>;

const MISSING = 0xffffffffu;
const LANES = 64u;
const RADIX = 16u;

var<workgroup> partial: array<u32, LANES>;

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

@compute @workgroup_size(LANES)
fn markRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * LANES + lane;
  if (index >= params.count) { return; }
  var row = rowOf(index);
  if (ALONG && row != MISSING) {
    let tuple = divideBy(index, params.inner);
    let outer = divideBy(tuple, params.perOuter);
    row = (outer * params.extent[0][0] + row) * params.inner.x + index - tuple * params.inner.x;
  }
  rowMarks[index] = min(row, params.rows);
}

// An invocation counts the digits of one chunk.
@compute @workgroup_size(LANES)
fn countDigits(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = (group.x + group.y * groups.x) * LANES + lane;
  if (chunk >= params.chunks) { return; }
  var seen: array<u32, RADIX>;
  let end = min((chunk + 1u) * params.chunk, params.m);
  for (var at = chunk * params.chunk; at < end; at++) {
    seen[(rowIn[at] >> params.shift) & (RADIX - 1u)]++;
  }
  for (var digit = 0u; digit < RADIX; digit++) {
    digits[digit * params.chunks + chunk] = seen[digit];
  }
}

// Exclusive sums over `count` words, in place, by one workgroup; an invocation owns a stretch of them.
@compute @workgroup_size(LANES)
fn scanDigits(@builtin(local_invocation_index) lane: u32) {
  let stretch = (params.count + LANES - 1u) / LANES;
  let start = min(lane * stretch, params.count);
  let end = min(start + stretch, params.count);
  var sum = 0u;
  for (var at = start; at < end; at++) {
    sum += totals[at];
  }
  partial[lane] = sum;
  workgroupBarrier();
  var before = 0u;
  for (var other = 0u; other < lane; other++) {
    before += partial[other];
  }
  for (var at = start; at < end; at++) {
    let own = totals[at];
    totals[at] = before;
    before += own;
  }
}

// An invocation moves the updates of one chunk to their places, in order, so that equal digits keep theirs.
@compute @workgroup_size(LANES)
fn placeDigits(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = (group.x + group.y * groups.x) * LANES + lane;
  if (chunk >= params.chunks) { return; }
  var next: array<u32, RADIX>;
  for (var digit = 0u; digit < RADIX; digit++) {
    next[digit] = firsts[digit * params.chunks + chunk];
  }
  let end = min((chunk + 1u) * params.chunk, params.m);
  for (var at = chunk * params.chunk; at < end; at++) {
    let row = rowIn[at];
    let digit = (row >> params.shift) & (RADIX - 1u);
    let place = next[digit];
    next[digit] = place + 1u;
    rowOut[place] = row;
    if (params.shift == 0u) {
      orderOut[place] = at;
    } else {
      orderOut[place] = orderIn[at];
    }
  }
}

// The first of the sorted rows that is not below `row`, by bisection.
@compute @workgroup_size(LANES)
fn findStarts(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.x + group.y * groups.x) * LANES + lane;
  if (row >= params.count) { return; }
  var low = 0u;
  var high = params.m;
  while (low < high) {
    let middle = (low + high) >> 1u;
    if (rowIn[middle] < row) {
      low = middle + 1u;
    } else {
      high = middle;
    }
  }
  starts[row] = low;
}

// What one more update makes of an element.
fn joinUpdate(current: u32, update: u32) -> u32 {
  if (SET) {
    return update;
  }
  if (FLOAT) {
    return bitcast<u32>(bitcast<f32>(current) + bitcast<f32>(update));
  }
  return current + update;
}

fn joinUpdates(current: vec4u, update: vec4u) -> vec4u {
  if (SET) {
    return update;
  }
  if (FLOAT) {
    return bitcast<vec4u>(bitcast<vec4f>(current) + bitcast<vec4f>(update));
  }
  return current + update;
}

// A sum of floats in blocks: x and the updates since the last full block of 32, the blocks since the last 1024 updates, and
// what was before. Integers and replacements stay in `recent`.
struct Sum {
  recent: u32,
  count: u32,
  block: f32,
  total: f32,
}

struct Sum4 {
  recent: vec4u,
  block: vec4f,
  total: vec4f,
  count: u32,
}

fn addUpdate(sum: ptr<function, Sum>, update: u32) {
  (*sum).recent = joinUpdate((*sum).recent, update);
  (*sum).count++;
  if (SET || !FLOAT || ((*sum).count & 31u) != 0u) { return; }
  (*sum).block += bitcast<f32>((*sum).recent);
  (*sum).recent = u32(0u);
  if (((*sum).count & 1023u) != 0u) { return; }
  (*sum).total += (*sum).block;
  (*sum).block = f32(0.0);
}

fn totalOf(sum: ptr<function, Sum>) -> u32 {
  if (SET || !FLOAT || (*sum).count < 32u) { return (*sum).recent; }
  return bitcast<u32>((*sum).total + ((*sum).block + bitcast<f32>((*sum).recent)));
}

fn addUpdate4(sum: ptr<function, Sum4>, update: vec4u) {
  (*sum).recent = joinUpdates((*sum).recent, update);
  (*sum).count++;
  if (SET || !FLOAT || ((*sum).count & 31u) != 0u) { return; }
  (*sum).block += bitcast<vec4f>((*sum).recent);
  (*sum).recent = vec4u(0u);
  if (((*sum).count & 1023u) != 0u) { return; }
  (*sum).total += (*sum).block;
  (*sum).block = vec4f(0.0);
}

fn totalOf4(sum: ptr<function, Sum4>) -> vec4u {
  if (SET || !FLOAT || (*sum).count < 32u) { return (*sum).recent; }
  return bitcast<vec4u>((*sum).total + ((*sum).block + bitcast<vec4f>((*sum).recent)));
}

@compute @workgroup_size(LANES)
fn addScanned(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * LANES + lane;
  if (index >= params.count) { return; }
  let line = divideBy(index, params.inner);
  let outer = divideBy(line, params.perOuter);
  let row = line - outer * params.perOuter.x;
  var sum = Sum(x[index], 0u, 0.0, 0.0);
  var address = outer * params.m * params.inner.x + index - line * params.inner.x;
  for (var j = 0u; j < params.m; j++) {
    if (rowList[j] == row) {
      addUpdate(&sum, updates[address]);
    }
    address += params.inner.x;
  }
  scanned[index] = totalOf(&sum);
}

@compute @workgroup_size(LANES)
fn addSorted(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * LANES + lane;
  if (index >= params.count) { return; }
  let line = divideBy(index, params.inner);
  let outer = divideBy(line, params.perOuter);
  let row = line - outer * params.perOuter.x;
  var sum = Sum(x[index], 0u, 0.0, 0.0);
  let first = outer * params.m * params.inner.x + index - line * params.inner.x;
  let end = bounds[row + 1u];
  var at = bounds[row];
  if (SET && at < end) {
    at = end - 1u;
  }
  for (; at < end; at++) {
    addUpdate(&sum, updates[first + order[at] * params.inner.x]);
  }
  out[index] = totalOf(&sum);
}

// addSorted for four neighbours at once; inner counts these.
@compute @workgroup_size(LANES)
fn addSorted4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * LANES + lane;
  if (index >= params.count) { return; }
  let line = divideBy(index, params.inner);
  let outer = divideBy(line, params.perOuter);
  let row = line - outer * params.perOuter.x;
  var sum = Sum4(x4[index], vec4f(0.0), vec4f(0.0), 0u);
  let first = outer * params.m * params.inner.x + index - line * params.inner.x;
  let end = bounds[row + 1u];
  var at = bounds[row];
  if (SET && at < end) {
    at = end - 1u;
  }
  for (; at < end; at++) {
    addUpdate4(&sum, updates4[first + order[at] * params.inner.x]);
  }
  out4[index] = totalOf4(&sum);
}

@compute @workgroup_size(LANES)
fn clearTallies(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * LANES + lane;
  if (index < params.count) {
    vacant[index] = 0u;
  }
}

@compute @workgroup_size(LANES)
fn tally(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * LANES + lane;
  if (index >= params.count) { return; }
  let row = rowOf(index);
  if (row != MISSING) {
    atomicAdd(&tallies[row], 1u);
  }
}
