// Running sums, running products and linear recurrences along one axis of a tensor seen as (outer, length, inner).
//
//   scan     out[s] = x[0] ∘ x[1] ∘ … ∘ x[s], with ∘ = +, or · of integers (exclusive: without x[s]; out[0] is neutral)
//   linear   h[s] = a[s] · h[s − 1] + b[s], h[−1] = 0           (shifted: a[s − 1] in place of a[s]); a factor of 0
//            forgets any state, also one that is not finite
//   shift    out[s] = x[s − 1], out[0] = 0
//
// s counts in the direction of the scan, from the end when `backwards`. All buffers are (outer, length, inner), those of
// parts are (outer, parts, inner). An axis is cut into parts of `chunk` elements, each of which belongs to one
// invocation. `totals` and `linearTotals` write the composition of each part, which is scanned in turn; then `scan` and
// `linear` go through their part again, from what the parts before it gave (carry[part − 1]), and write every element
// with `=`. A sum over a part is nested, 4 · 4 · (chunk / 16), so that no sum is a long chain: with parts of
// 64 the error grows by 11 roundings for each factor of 64 in the length. The order is fixed.

override PRODUCT: bool = false;  // of integers
override FLOAT: bool = true;

struct Params {
  lanes: u32,      // outer · parts · inner
  length: u32,
  inner: u32,
  parts: u32,
  chunk: u32,
  backwards: u32,
  exclusive: u32,
  carried: u32,
  shifted: u32,
  composed: u32,   // the factors are products of `linearTotals`
  pad1: u32,
  pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// scan and totals: the bits of f32 or i32
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read> carry: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read_write> total: array<u32>;
// linear
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read> terms: array<f32>;
@group(0) @binding(3) var<storage, read> states: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<storage, read_write> totalFactor: array<f32>;
@group(0) @binding(4) var<storage, read_write> totalTerm: array<f32>;
// shift
@group(0) @binding(2) var<storage, read_write> moved: array<u32>;

// The part of an invocation: its number within the axis, and the offset of its row.
struct Part {
  number: u32,
  row: u32,
  first: u32,
  end: u32,
}

fn partOf(index: u32) -> Part {
  let outer = index / (params.parts * params.inner);
  let rest = index - outer * params.parts * params.inner;
  let number = rest / params.inner;
  let row = outer * params.length * params.inner + (rest - number * params.inner);
  let first = number * params.chunk;
  return Part(number, row, first, min(first + params.chunk, params.length));
}

// Where element s of the scan stands.
fn addressAt(row: u32, s: u32) -> u32 {
  return row + select(s, params.length - 1u - s, params.backwards != 0u) * params.inner;
}

fn neutral() -> u32 {
  return select(0u, 1u, PRODUCT);
}

fn accumulate(a: u32, b: u32) -> u32 {
  if (FLOAT) { return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b)); }
  if (PRODUCT) { return a * b; }
  return a + b;
}

@compute @workgroup_size(64)
fn totals(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  var all = neutral();
  for (var large = part.first; large < part.end; large += 16u) {
    var sixteen = neutral();
    for (var small = large; small < min(large + 16u, part.end); small += 4u) {
      var four = neutral();
      for (var s = small; s < min(small + 4u, part.end); s++) {
        four = accumulate(four, source[addressAt(part.row, s)]);
      }
      sixteen = accumulate(sixteen, four);
    }
    all = accumulate(all, sixteen);
  }
  total[index] = all;
}

@compute @workgroup_size(64)
fn scan(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  var before = neutral();
  if (params.carried != 0u && part.number > 0u) { before = carry[index - params.inner]; }
  if (params.exclusive != 0u && part.number == 0u) { out[addressAt(part.row, 0u)] = neutral(); }
  var all = neutral();
  for (var large = part.first; large < part.end; large += 16u) {
    var sixteen = neutral();
    for (var small = large; small < min(large + 16u, part.end); small += 4u) {
      var four = neutral();
      for (var s = small; s < min(small + 4u, part.end); s++) {
        four = accumulate(four, source[addressAt(part.row, s)]);
        let place = s + select(0u, 1u, params.exclusive != 0u);
        if (place < params.length) {
          out[addressAt(part.row, place)] = accumulate(before, accumulate(all, accumulate(sixteen, four)));
        }
      }
      sixteen = accumulate(sixteen, four);
    }
    all = accumulate(all, sixteen);
  }
}

// The factor that carries the state into element s; there is none to carry into the first.
fn factorAt(row: u32, s: u32) -> f32 {
  if (s == 0u) { return 1.0; }
  if (params.shifted == 0u) { return factors[addressAt(row, s)]; }
  return factors[addressAt(row, s - 1u)];
}

// a · f for the factor of a part. A product of finite numbers other than 0 that leaves the range of floats is marked, by
// the smallest or the largest normal number, and keeps the mark: 0 and infinity would turn what they meet into NaN.
fn composeFactor(a: f32, f: f32) -> f32 {
  let bitsA = bitcast<u32>(a) & 0x7fffffffu;
  let bitsF = bitcast<u32>(f) & 0x7fffffffu;
  if (bitsA == 0u || bitsF == 0u || bitsA >= 0x7f800000u || bitsF >= 0x7f800000u) { return a * f; }
  var bits = bitcast<u32>(a * f) & 0x7fffffffu;
  if (bitsA == 0x00800000u || bitsA == 0x7f7fffffu) {
    bits = bitsA;
  } else if (bitsF == 0x00800000u || bitsF == 0x7f7fffffu) {
    bits = bitsF;
  }
  let sign = (bitcast<u32>(a) ^ bitcast<u32>(f)) & 0x80000000u;
  return bitcast<f32>(clamp(bits, 0x00800000u, 0x7f7fffffu) | sign);
}

// factor · state, 0 for a factor of 0; a marked factor stands for one beyond the range of floats.
fn carryState(factor: f32, state: f32) -> f32 {
  let bits = bitcast<u32>(factor) & 0x7fffffffu;
  let size = bitcast<u32>(state) & 0x7fffffffu;
  let sign = (bitcast<u32>(factor) ^ bitcast<u32>(state)) & 0x80000000u;
  if (bits == 0u) { return 0.0; }
  if (params.composed != 0u && size <= 0x7f800000u) {
    if (bits == 0x00800000u) { return bitcast<f32>(select(0u, size, size == 0x7f800000u) | sign); }
    if (bits == 0x7f7fffffu) { return bitcast<f32>(select(0x7f800000u, 0u, size == 0u) | sign); }
  }
  return factor * state;
}

@compute @workgroup_size(64)
fn linearTotals(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  var a = 1.0;
  var b = 0.0;
  for (var s = part.first; s < part.end; s++) {
    let factor = factorAt(part.row, s);
    b = carryState(factor, b) + terms[addressAt(part.row, s)];
    a = composeFactor(a, factor);
  }
  totalFactor[index] = a;
  totalTerm[index] = b;
}

@compute @workgroup_size(64)
fn linear(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  var state = 0.0;
  var s = part.first;
  if (part.number > 0u) {
    if (params.carried != 0u) { state = states[index - params.inner]; }
  } else {
    state = terms[addressAt(part.row, 0u)];
    result[addressAt(part.row, 0u)] = state;
    s = 1u;
  }
  for (; s < part.end; s++) {
    state = carryState(factorAt(part.row, s), state) + terms[addressAt(part.row, s)];
    result[addressAt(part.row, s)] = state;
  }
}

@compute @workgroup_size(64)
fn shift(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  var word = 0u;
  if (part.number > 0u) { word = source[addressAt(part.row, part.number - 1u)]; }
  moved[addressAt(part.row, part.number)] = word;
}
