// Probabilities on their way into a logarithm: clipped[i] = min(max(q, low), high) with q = p[i] / total, checked.
//
//   p        (count,)                 read, seen as (outer, columns, inner)
//   errors   (4,)                     the device's error record: op number, position, bits of the value, unused
//   total    (outer, 1, inner)        read by clipShare; clip takes q = p[i]
//   clipped / shares  (count,)        one invocation owns one element, `=`
//
// A p outside of [lowest, highest] writes NaN and is reported, the first one of all. A NaN is none, and stays NaN.

struct Params {
  count: u32,
  op: u32,          // the op's number in the error record
  low: f32,
  high: f32,
  perOuter: vec4u,  // columns · inner: divisor, multiplier, shift
  inner: vec4u,     // divisor, multiplier, shift
  lowest: f32,      // with the tolerance
  highest: f32,
  unused0: u32,
  unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<f32>;
@group(0) @binding(2) var<storage, read_write> errors: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> clipped: array<f32>;
@group(0) @binding(3) var<storage, read> total: array<f32>;
@group(0) @binding(4) var<storage, read_write> shares: array<f32>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn nanF32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

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
fn reportValue(position: u32, value: f32) {
  var claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  while (!claim.exchanged && claim.old_value == 0u) {
    claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  }
  if (claim.exchanged) {
    atomicStore(&errors[1], position);
    atomicStore(&errors[2], bitcast<u32>(value));
  }
}

// q within the bounds; NaN for a value that is out of range, and where q is NaN.
fn clipChecked(position: u32, value: f32, q: f32) -> f32 {
  if (value < params.lowest || value > params.highest) {
    reportValue(position, value);
    return nanF32();
  }
  return select(min(max(q, params.low), params.high), q, isNan(q));
}

@compute @workgroup_size(64)
fn clip(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  clipped[i] = clipChecked(i, p[i], p[i]);
}

@compute @workgroup_size(64)
fn clipShare(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let column = i - divideBy(i, params.inner) * params.inner.x;
  let own = divideBy(i, params.perOuter) * params.inner.x + column;
  shares[i] = clipChecked(i, p[i], p[i] / total[own]);
}
