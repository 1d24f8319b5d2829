// Stable sorting along one axis of a tensor seen as (outer, length, inner), and moves by its indices.
//
//   source   (outer, length, inner)  read, float32 or int32 as 32-bit words
//   values   (outer, kept, inner)    write, the first `kept` elements in order
//   indices  (outer, kept, inner)    write, int32: where they came from
//   pairs    (rows, padded)          scratch: (key, position) of each row = outer · inner + column, padded to a power of 2
//
// A 32-bit key grows in the order of preference; equal keys are ordered by position, so the order is total, the sort
// stable and the result the same on every device. -0 equals +0. A NaN has the largest key in either direction, as
// has the padding, whose positions are the last.
//
// The bitonic network has only ascending comparators: a span first compares i with its mirror image, then with
// distances that halve. `sortBlocks` sorts 512 pairs in a workgroup, `mergeStep` is one comparator layer through memory
// (an invocation owns both pairs), `mergeBlocks` the layers of distance ≤ 256, `emit` writes the outputs (`=`).
// `rankBlocks` sorts runs of 32 by counting, `mergeRuns` joins neighbouring runs of `span` pairs into another buffer: each
// pair finds by bisection how many of the other run come before it. No barriers and no padding (`padded` is `length`).
// `rank` counts for each element the smaller ones, without scratch or barriers: for short rows.
// `gather` and `scatter` move elements by indices: an invocation owns one element of out resp. grad (`=`); indices of a
// row are distinct when scattered.

override FLOAT: bool = true;
override DESCENDING: bool = false;
override FLIP: bool = false;

struct Params {
  rows: u32,     // outer · inner
  length: u32,
  inner: u32,
  kept: u32,
  padded: u32,   // pairs of a row: a power of 2 ≥ length, or length
  span: u32,     // mergeStep: size of the sequences that FLIP joins, or twice the distance; mergeRuns: pairs of a run
  oneList: u32,  // gather, scatter: one index list for all rows
  pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// sort blocks and runs
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> sorted: array<vec2u>;
// merge in place
@group(0) @binding(1) var<storage, read_write> pairs: array<vec2u>;
// mergeRuns
@group(0) @binding(1) var<storage, read> runs: array<vec2u>;
// emit
@group(0) @binding(2) var<storage, read> ordered: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;
// rank
@group(0) @binding(2) var<storage, read_write> rankValues: array<u32>;
@group(0) @binding(3) var<storage, read_write> rankIndices: array<u32>;
// gather, scatter, clear
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read_write> moved: array<u32>;
@group(0) @binding(1) var<storage, read_write> cleared: array<u32>;

var<workgroup> block: array<vec2u, 512>;

// Unsigned integers in the order of the elements; -0 equals +0, a NaN is last in either direction.
fn sortKey(bits: u32) -> u32 {
  var key = bits ^ 0x80000000u;
  if (FLOAT) {
    let magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
      return 0xffffffffu;
    }
    key = select(0x80000000u + magnitude, 0x80000000u - magnitude, (bits & 0x80000000u) != 0u);
  }
  return select(key, ~key, DESCENDING);
}

// Address of element `at` of a row whose axis has `extent` elements.
fn addressOf(row: u32, at: u32, extent: u32) -> u32 {
  let outer = row / params.inner;
  return (outer * extent + at) * params.inner + (row - outer * params.inner);
}

fn isAfter(a: vec2u, b: vec2u) -> bool {
  return a.x > b.x || (a.x == b.x && a.y > b.y);
}

// The two places of comparator `i` in a layer: mirror images within `span`, or neighbours at half of `span`.
fn comparator(i: u32, span: u32, mirrored: bool) -> vec2u {
  let half = span >> 1u;
  let start = (i / half) * span;
  let at = i & (half - 1u);
  return vec2u(start + at, select(start + at + half, start + span - 1u - at, mirrored));
}

fn compareInBlock(lane: u32, span: u32, mirrored: bool) {
  let at = comparator(lane, span, mirrored);
  let a = block[at.x];
  let b = block[at.y];
  if (isAfter(a, b)) {
    block[at.x] = b;
    block[at.y] = a;
  }
  workgroupBarrier();
}

fn pairAt(linear: u32) -> vec2u {
  let row = linear / params.padded;
  let at = linear & (params.padded - 1u);
  var key = 0xffffffffu;
  if (row < params.rows && at < params.length) {
    key = sortKey(source[addressOf(row, at, params.length)]);
  }
  return vec2u(key, at);
}

@compute @workgroup_size(256)
fn sortBlocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * 512u;
  let count = params.rows * params.padded;
  block[lane] = pairAt(first + lane);
  block[lane + 256u] = pairAt(first + lane + 256u);
  workgroupBarrier();
  let largest = min(params.padded, 512u);
  for (var span = 2u; span <= largest; span <<= 1u) {
    compareInBlock(lane, span, true);
    for (var width = span >> 1u; width >= 2u; width >>= 1u) {
      compareInBlock(lane, width, false);
    }
  }
  if (first + lane < count) { sorted[first + lane] = block[lane]; }
  if (first + lane + 256u < count) { sorted[first + lane + 256u] = block[lane + 256u]; }
}

// Rows longer than a block only, so that every block is full.
@compute @workgroup_size(256)
fn mergeBlocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * 512u;
  if (first >= params.rows * params.padded) { return; }
  block[lane] = pairs[first + lane];
  block[lane + 256u] = pairs[first + lane + 256u];
  workgroupBarrier();
  for (var width = 512u; width >= 2u; width >>= 1u) {
    compareInBlock(lane, width, false);
  }
  pairs[first + lane] = block[lane];
  pairs[first + lane + 256u] = block[lane + 256u];
}

@compute @workgroup_size(64)
fn mergeStep(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * (params.padded >> 1u)) { return; }
  let at = comparator(index, params.span, FLIP);
  let a = pairs[at.x];
  let b = pairs[at.y];
  if (isAfter(a, b)) {
    pairs[at.x] = b;
    pairs[at.y] = a;
  }
}

@compute @workgroup_size(64)
fn rankBlocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * params.length) { return; }
  let row = index / params.length;
  let at = index - row * params.length;
  let first = at & ~31u;
  let own = vec2u(sortKey(source[addressOf(row, at, params.length)]), at);
  var smaller = 0u;
  for (var r = first; r < min(first + 32u, params.length); r++) {
    let other = vec2u(sortKey(source[addressOf(row, r, params.length)]), r);
    smaller += select(0u, 1u, isAfter(own, other));
  }
  sorted[index - at + first + smaller] = own;
}

@compute @workgroup_size(64)
fn mergeRuns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * params.length) { return; }
  let base = (index / params.length) * params.length;
  let at = index - base;
  let run = at & ~(params.span - 1u);
  let partner = run ^ params.span;
  let own = runs[index];
  var low = min(partner, params.length);
  var high = min(partner + params.span, params.length);
  while (low < high) {
    let middle = (low + high) >> 1u;
    if (isAfter(own, runs[base + middle])) {
      low = middle + 1u;
    } else {
      high = middle;
    }
  }
  sorted[base + min(run, partner) + (at - run) + (low - min(partner, params.length))] = own;
}

@compute @workgroup_size(64)
fn emit(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * params.kept) { return; }
  let outer = index / (params.kept * params.inner);
  let rest = index - outer * params.kept * params.inner;
  let at = rest / params.inner;
  let row = outer * params.inner + (rest - at * params.inner);
  let place = ordered[row * params.padded + at].y;
  values[index] = source[addressOf(row, place, params.length)];
  indices[index] = place;
}

@compute @workgroup_size(64)
fn rank(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * params.length) { return; }
  let outer = index / (params.length * params.inner);
  let rest = index - outer * params.length * params.inner;
  let place = rest / params.inner;
  let row = outer * params.inner + (rest - place * params.inner);
  let word = source[index];
  let own = vec2u(sortKey(word), place);
  let first = addressOf(row, 0u, params.length);
  var smaller = 0u;
  for (var r = 0u; r < params.length; r++) {
    let other = vec2u(sortKey(source[first + r * params.inner]), r);
    smaller += select(0u, 1u, isAfter(own, other));
  }
  if (smaller < params.kept) {
    let address = addressOf(row, smaller, params.kept);
    rankValues[address] = word;
    rankIndices[address] = place;
  }
}

// moved[o, r, i] = source[o, places[o, r, i], i]
@compute @workgroup_size(64)
fn gather(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * params.kept) { return; }
  let outer = index / (params.kept * params.inner);
  let rest = index - outer * params.kept * params.inner;
  let at = rest / params.inner;
  let row = outer * params.inner + (rest - at * params.inner);
  moved[index] = source[addressOf(row, places[select(index, at, params.oneList != 0u)], params.length)];
}

// moved[o, places[o, r, i], i] = source[o, r, i]
@compute @workgroup_size(64)
fn scatter(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * params.kept) { return; }
  let outer = index / (params.kept * params.inner);
  let rest = index - outer * params.kept * params.inner;
  let at = rest / params.inner;
  let row = outer * params.inner + (rest - at * params.inner);
  moved[addressOf(row, places[select(index, at, params.oneList != 0u)], params.length)] = source[index];
}

@compute @workgroup_size(64)
fn clear(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.rows * params.length) { return; }
  cleared[index] = 0u;
}
