// out[n, q, f] = activation(Σ_tap,k x[n, source(q, tap), k] · w[tap, k, f] + bias[f]): convolution with three spatial axes, and
// its input gradient, which is the same sum with other strides.
//
//   binding 1   x     (batch, ...source, sourceChannels)   read    zero beyond its edges
//   binding 2   w     element (tap, k, f in group g) at tap * wTap + k * wDepth + f * wChannel + g * wGroup    read
//   binding 3   bias  (channels,), or anything when hasBias is 0    read
//   binding 4   out   (batch, ...out, channels)    write
//
// Along each axis source = q / phases * step + (q % phases + offset + tap * tapStep) / phases, and a tap counts only where the last
// division leaves no rest. Forward has one phase; the input gradient has as many as the stride, and a workgroup works on
// places of one phase, which meet the same taps. Places of the last axis and channels are one axis to the kernel, of `line`
// elements: each load checks its element against it. So where neighbouring taps meet neighbouring pixels with all their
// channels, the last axis of taps counts as one tap with a depth of its own.
//
// Invocation `lane` of a workgroup owns 4 channels of one group, LANES apart, at 8 places (`conv4`), 1 channel of any group at 8
// places (`conv1`), or 4 channels of any groups at 4 places (`convAcross`), and writes them with `=`. What lies outside is loaded from address 0 and counts as 0. Since 0 · Inf is
// NaN, a sum that comes out as NaN is done again by `plainSum`, which leaves the padding out.

override LANES: u32 = 8u;

struct Params {
  groups: u32, // workgroups that have work
  tiles: u32, // of places in one phase
  tilesN: u32, // of channels in one group
  places: u32, // in one phase, in all images
  depth: u32, // neighbouring elements of x that one tap sums up
  groupDepth: u32, // channels of x in one group
  channels: u32, // of out
  perGroup: u32, // channels of out in one group
  wTap: u32,
  wDepth: u32,
  wChannel: u32,
  wGroup: u32,
  kernel: vec3u,
  hasBias: u32,
  source: vec3u, // the last axis in elements
  activation: u32, // 0 linear, 1 relu, 2 sigmoid, 3 tanh
  out: vec3u,
  pixel: u32, // channels of x
  phases: vec3u,
  pieces: u32, // of one line of out, for conv.narrow and conv.depthwise
  grid: vec3u, // places of one phase along each axis
  items: u32, // pieces in all, for the same two
  multiplier: vec3u, // ⌊n / grid⌋ = mulHigh(n, multiplier) >> shift for n < 2^31
  tapTurns: u32, // that one line of taps takes in the same two
  shift: vec3u,
  step: vec3i,
  blocks: u32, // turns in all in conv.narrow
  offset: vec3i,
  tapStep: vec3i,
  tapStride: vec3u, // from one tap that meets a phase to the next
  reachStep: vec3i, // and how much farther that one reaches, in pixels of the source
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

// An element that lies on no line, whatever is added to it.
const NOWHERE = 0x80000000u;

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

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// |v| with the sign of s.
fn copySign(v: f32, s: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(v) & 0x7fffffffu) | (bitcast<u32>(s) & 0x80000000u));
}

// 2^e for -126 <= e <= 127.
fn exp2Int(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// exp(r) - 1 for |r| <= ln 2 / 2.
fn expm1Small(r: f32) -> f32 {
  var p = fma(1.9875691500e-4, r, 1.3981999507e-3);
  p = fma(p, r, 8.3334519073e-3);
  p = fma(p, r, 4.1665795894e-2);
  p = fma(p, r, 1.6666665459e-1);
  p = fma(p, r, 5.0000001201e-1);
  return fma(p, r * r, r);
}

// v - k ln 2 in two steps, of which the first is exact. The max changes nothing: it keeps drivers (Mesa) from merging
// the two products into one by k * (a + b), which costs 5 bits.
fn reduceLn2(v: f32, k: f32) -> f32 {
  return fma(k, 2.12194440e-4, max(fma(k, -0.693359375, v), -1.0e9));
}

// exp(v) * 2^shift: v = k ln 2 + r, and 2^(k + shift) in two factors, so that only the result over- or underflows.
fn expScaled(v: f32, shift: i32) -> f32 {
  let x = clamp(v, -104.0, 90.0);
  let k = round(x * 1.44269504);
  let r = reduceLn2(x, k);
  let e = i32(k) + shift;
  let half = e >> 1u;
  let scaled = (1.0 + expm1Small(r)) * exp2Int(half) * exp2Int(e - half);
  return select(scaled, v, isNan(v));
}

fn expF32(v: f32) -> f32 {
  return expScaled(v, 0);
}

fn expm1F32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  if (abs(v) > 20.0) { return expF32(v) - 1.0; }
  let k = round(v * 1.44269504);
  let scale = exp2Int(i32(k));
  return fma(scale, expm1Small(reduceLn2(v, k)), scale - 1.0);
}

fn tanhF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let e = expm1F32(2.0 * min(abs(v), 10.0));
  return copySign(e / (e + 2.0), v);
}

fn sigmoidF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let e = expF32(-abs(v));
  return select(1.0, e, v < 0.0) / (1.0 + e);
}

fn activate(v: f32) -> f32 {
  switch (params.activation) {
    case 1u: { return select(v, 0.0, v < 0.0); }
    case 2u: { return sigmoidF32(v); }
    case 3u: { return tanhF32(v); }
    default: { return v; }
  }
}

// Where a workgroup's tile lies.
struct Tile {
  place: u32, // number of its first place in the phase
  column: u32, // number of its first channel in the group
  group: u32,
  phase: vec3u,
}

fn locateTile(number: u32) -> Tile {
  let line = number / params.tilesN;
  let block = line / params.tiles;
  let phases = params.phases;
  let group = block / (phases.x * phases.y * phases.z);
  return Tile(
    line % params.tiles,
    number % params.tilesN,
    group,
    vec3u(block / (phases.y * phases.z) % phases.x, block / phases.z % phases.y, block % phases.z),
  );
}

// A place of out, as the taps see it.
struct Place {
  at: vec3i, // its coordinates in the source, before a tap shifts them, the last one in elements
  origin: u32, // address of these, as a number that wraps around
  out: u32, // number of its pixel
  inside: bool, // whether there is such a place
}

fn placeOf(number: u32, phase: vec3u) -> Place {
  let clamped = min(number, params.places - 1u);
  let rest = select(mulHigh(clamped, params.multiplier.z) >> params.shift.z, clamped, params.grid.z == 1u);
  let slab = select(mulHigh(rest, params.multiplier.y) >> params.shift.y, rest, params.grid.y == 1u);
  let image = select(mulHigh(slab, params.multiplier.x) >> params.shift.x, slab, params.grid.x == 1u);
  let q = vec3u(slab - image * params.grid.x, rest - slab * params.grid.y, clamped - rest * params.grid.z);
  let at = q * vec3u(params.step) * vec3u(1u, 1u, params.pixel);
  let to = q * params.phases + phase;
  return Place(
    vec3i(at),
    ((image * params.source.x + at.x) * params.source.y + at.y) * params.source.z + at.z,
    ((image * params.out.x + to.x) * params.out.y + to.y) * params.out.z + to.z,
    number < params.places && all(to < params.out),
  );
}

// Whether a tap meets this phase at all, and how far it reaches, in pixels of the source.
struct Reach {
  meets: bool,
  by: i32,
}

fn reachOf(axis: u32, phase: vec3u, tap: u32) -> Reach {
  let ahead = i32(phase[axis]) + params.offset[axis] + i32(tap) * params.tapStep[axis];
  let phases = i32(params.phases[axis]);
  let by = ahead / phases;
  return Reach(by * phases == ahead, by);
}

// The sum for one place and channel, without the padding.
fn plainSum(place: Place, phase: vec3u, base: u32, column: u32) -> f32 {
  var sum = 0.0;
  let taps = params.kernel.x * params.kernel.y * params.kernel.z;
  for (var tap = 0u; tap < taps; tap++) {
    let line = tap / params.kernel.z;
    let reachZ = reachOf(0u, phase, line / params.kernel.y);
    let reachY = reachOf(1u, phase, line % params.kernel.y);
    let reachX = reachOf(2u, phase, tap % params.kernel.z);
    if (!(reachZ.meets && reachY.meets && reachX.meets)) { continue; }
    let at = place.at + vec3i(reachZ.by, reachY.by, reachX.by * i32(params.pixel));
    if (any(vec2u(at.xy) >= params.source.xy)) { continue; }
    let shift = (reachZ.by * i32(params.source.y) + reachY.by) * i32(params.source.z) + reachX.by * i32(params.pixel);
    for (var k = 0u; k < params.depth; k++) {
      if (u32(at.z) + base + k >= params.source.z) { continue; }
      sum = fma(x[place.origin + u32(shift) + base + k], w[column + tap * params.wTap + k * params.wDepth], sum);
    }
  }
  return sum;
}

// Adds the bias, applies the activation, and stores one element; outside of the result it does nothing.
fn finishPlace(place: Place, phase: vec3u, base: u32, columnAt: u32, inside: bool, channel: u32, sum: f32) {
  if (!inside || !place.inside) { return; }
  var v = sum;
  if (isNan(v)) { v = plainSum(place, phase, base, columnAt); }
  if (params.hasBias != 0u) { v += bias[channel]; }
  out[place.out * params.channels + channel] = activate(v);
}

// Stores one element with bias and relu, and tells whether it takes `finishPlace` to get it right. Drivers that go through both
// sides of every branch are the reason to keep the long way in a loop of its own, which is seldom entered.
fn storePlace(place: Place, inside: bool, channel: u32, sum: f32) -> bool {
  var v = sum + select(0.0, bias[channel * params.hasBias], params.hasBias != 0u);
  v = select(v, 0.0, params.activation == 1u && v < 0.0);
  if (inside && place.inside) { out[place.out * params.channels + channel] = v; }
  return isNan(v) || params.activation > 1u;
}

// From here on the text is this file's own; scripts/conv-siblings.ts copies what stands above.

@compute @workgroup_size(LANES)
fn conv4(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let tile = locateTile(number);
  let phase = tile.phase;
  let group = tile.group;
  let column = tile.column * 4u * LANES + lane;
  let inGroup = min(vec4u(column) + vec4u(0u, LANES, 2u * LANES, 3u * LANES), vec4u(params.perGroup - 1u));
  let columnAt = inGroup * params.wChannel + group * params.wGroup;
  let base = group * params.groupDepth;
  let place0 = placeOf(tile.place * 8u + 0u, phase);
  let place1 = placeOf(tile.place * 8u + 1u, phase);
  let place2 = placeOf(tile.place * 8u + 2u, phase);
  let place3 = placeOf(tile.place * 8u + 3u, phase);
  let place4 = placeOf(tile.place * 8u + 4u, phase);
  let place5 = placeOf(tile.place * 8u + 5u, phase);
  let place6 = placeOf(tile.place * 8u + 6u, phase);
  let place7 = placeOf(tile.place * 8u + 7u, phase);
  let zLow = vec4i(place0.at.x, place1.at.x, place2.at.x, place3.at.x);
  let yLow = vec4i(place0.at.y, place1.at.y, place2.at.y, place3.at.y);
  let xLow = vec4i(place0.at.z, place1.at.z, place2.at.z, place3.at.z);
  let originLow = vec4u(place0.origin, place1.origin, place2.origin, place3.origin);
  let zHigh = vec4i(place4.at.x, place5.at.x, place6.at.x, place7.at.x);
  let yHigh = vec4i(place4.at.y, place5.at.y, place6.at.y, place7.at.y);
  let xHigh = vec4i(place4.at.z, place5.at.z, place6.at.z, place7.at.z);
  let originHigh = vec4u(place4.origin, place5.origin, place6.origin, place7.origin);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  var sum4 = vec4f();
  var sum5 = vec4f();
  var sum6 = vec4f();
  var sum7 = vec4f();
  for (var tz = 0u; tz < params.kernel.x; tz++) {
    let reachZ = reachOf(0u, phase, tz);
    if (!reachZ.meets) { continue; }
    for (var ty = 0u; ty < params.kernel.y; ty++) {
      let reachY = reachOf(1u, phase, ty);
      if (!reachY.meets) { continue; }
      for (var tx = 0u; tx < params.kernel.z; tx++) {
        let reachX = reachOf(2u, phase, tx);
        if (!reachX.meets) { continue; }
        let along = u32(reachX.by) * params.pixel + base;
        let shift = u32(reachZ.by * i32(params.source.y) + reachY.by) * params.source.z + along;
        let validLow = (vec4u(zLow + reachZ.by) < vec4u(params.source.x)) & (vec4u(yLow + reachY.by) < vec4u(params.source.y));
        var atLow = originLow + shift;
        var inLow = select(vec4u(NOWHERE), vec4u(xLow) + along, validLow);
        let validHigh = (vec4u(zHigh + reachZ.by) < vec4u(params.source.x)) & (vec4u(yHigh + reachY.by) < vec4u(params.source.y));
        var atHigh = originHigh + shift;
        var inHigh = select(vec4u(NOWHERE), vec4u(xHigh) + along, validHigh);
        var atW = ((tz * params.kernel.y + ty) * params.kernel.z + tx) * params.wTap;
        for (var k = 0u; k < params.depth; k++) {
          let right = vec4f(w[atW + columnAt.x], w[atW + columnAt.y], w[atW + columnAt.z], w[atW + columnAt.w]);
          let low = select(vec4f(), vec4f(x[atLow.x], x[atLow.y], x[atLow.z], x[atLow.w]), inLow < vec4u(params.source.z));
          let high = select(vec4f(), vec4f(x[atHigh.x], x[atHigh.y], x[atHigh.z], x[atHigh.w]), inHigh < vec4u(params.source.z));
          sum0 = fma(vec4f(low.x), right, sum0);
          sum1 = fma(vec4f(low.y), right, sum1);
          sum2 = fma(vec4f(low.z), right, sum2);
          sum3 = fma(vec4f(low.w), right, sum3);
          sum4 = fma(vec4f(high.x), right, sum4);
          sum5 = fma(vec4f(high.y), right, sum5);
          sum6 = fma(vec4f(high.z), right, sum6);
          sum7 = fma(vec4f(high.w), right, sum7);
          atLow += vec4u(1u);
          inLow += vec4u(1u);
          atHigh += vec4u(1u);
          inHigh += vec4u(1u);
          atW += params.wDepth;
        }
      }
    }
  }
  var sums = array<vec4f, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
  let channels = inGroup + vec4u(group * params.perGroup);
  let inside = vec4u(column) + vec4u(0u, LANES, 2u * LANES, 3u * LANES) < vec4u(params.perGroup);
  var odd = false;
  for (var p = 0u; p < 8u; p++) {
    let place = placeOf(tile.place * 8u + p, phase);
    for (var e = 0u; e < 4u; e++) { odd |= storePlace(place, inside[e], channels[e], sums[p][e]); }
  }
  for (var p = select(8u, 0u, odd); p < 8u; p++) {
    let place = placeOf(tile.place * 8u + p, phase);
    for (var e = 0u; e < 4u; e++) { finishPlace(place, phase, base, columnAt[e], inside[e], channels[e], sums[p][e]); }
  }
}

@compute @workgroup_size(LANES)
fn conv1(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let tile = locateTile(number);
  let phase = tile.phase;
  let channel = min(tile.column * LANES + lane, params.channels - 1u);
  let group = channel / params.perGroup;
  let columnAt = channel % params.perGroup * params.wChannel + group * params.wGroup;
  let base = group * params.groupDepth;
  let place0 = placeOf(tile.place * 8u + 0u, phase);
  let place1 = placeOf(tile.place * 8u + 1u, phase);
  let place2 = placeOf(tile.place * 8u + 2u, phase);
  let place3 = placeOf(tile.place * 8u + 3u, phase);
  let place4 = placeOf(tile.place * 8u + 4u, phase);
  let place5 = placeOf(tile.place * 8u + 5u, phase);
  let place6 = placeOf(tile.place * 8u + 6u, phase);
  let place7 = placeOf(tile.place * 8u + 7u, phase);
  let zLow = vec4i(place0.at.x, place1.at.x, place2.at.x, place3.at.x);
  let yLow = vec4i(place0.at.y, place1.at.y, place2.at.y, place3.at.y);
  let xLow = vec4i(place0.at.z, place1.at.z, place2.at.z, place3.at.z);
  let originLow = vec4u(place0.origin, place1.origin, place2.origin, place3.origin);
  let zHigh = vec4i(place4.at.x, place5.at.x, place6.at.x, place7.at.x);
  let yHigh = vec4i(place4.at.y, place5.at.y, place6.at.y, place7.at.y);
  let xHigh = vec4i(place4.at.z, place5.at.z, place6.at.z, place7.at.z);
  let originHigh = vec4u(place4.origin, place5.origin, place6.origin, place7.origin);
  var sum0 = 0.0;
  var sum1 = 0.0;
  var sum2 = 0.0;
  var sum3 = 0.0;
  var sum4 = 0.0;
  var sum5 = 0.0;
  var sum6 = 0.0;
  var sum7 = 0.0;
  for (var tz = 0u; tz < params.kernel.x; tz++) {
    let reachZ = reachOf(0u, phase, tz);
    if (!reachZ.meets) { continue; }
    for (var ty = 0u; ty < params.kernel.y; ty++) {
      let reachY = reachOf(1u, phase, ty);
      if (!reachY.meets) { continue; }
      for (var tx = 0u; tx < params.kernel.z; tx++) {
        let reachX = reachOf(2u, phase, tx);
        if (!reachX.meets) { continue; }
        let along = u32(reachX.by) * params.pixel + base;
        let shift = u32(reachZ.by * i32(params.source.y) + reachY.by) * params.source.z + along;
        let validLow = (vec4u(zLow + reachZ.by) < vec4u(params.source.x)) & (vec4u(yLow + reachY.by) < vec4u(params.source.y));
        var atLow = originLow + shift;
        var inLow = select(vec4u(NOWHERE), vec4u(xLow) + along, validLow);
        let validHigh = (vec4u(zHigh + reachZ.by) < vec4u(params.source.x)) & (vec4u(yHigh + reachY.by) < vec4u(params.source.y));
        var atHigh = originHigh + shift;
        var inHigh = select(vec4u(NOWHERE), vec4u(xHigh) + along, validHigh);
        var atW = ((tz * params.kernel.y + ty) * params.kernel.z + tx) * params.wTap;
        for (var k = 0u; k < params.depth; k++) {
          let right = w[atW + columnAt];
          let low = select(vec4f(), vec4f(x[atLow.x], x[atLow.y], x[atLow.z], x[atLow.w]), inLow < vec4u(params.source.z));
          let high = select(vec4f(), vec4f(x[atHigh.x], x[atHigh.y], x[atHigh.z], x[atHigh.w]), inHigh < vec4u(params.source.z));
          sum0 = fma(low.x, right, sum0);
          sum1 = fma(low.y, right, sum1);
          sum2 = fma(low.z, right, sum2);
          sum3 = fma(low.w, right, sum3);
          sum4 = fma(high.x, right, sum4);
          sum5 = fma(high.y, right, sum5);
          sum6 = fma(high.z, right, sum6);
          sum7 = fma(high.w, right, sum7);
          atLow += vec4u(1u);
          inLow += vec4u(1u);
          atHigh += vec4u(1u);
          inHigh += vec4u(1u);
          atW += params.wDepth;
        }
      }
    }
  }
  var sums = array<f32, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
  let inside = tile.column * LANES + lane < params.channels;
  var odd = false;
  for (var p = 0u; p < 8u; p++) { odd |= storePlace(placeOf(tile.place * 8u + p, phase), inside, channel, sums[p]); }
  for (var p = select(8u, 0u, odd); p < 8u; p++) {
    finishPlace(placeOf(tile.place * 8u + p, phase), phase, base, columnAt, inside, channel, sums[p]);
  }
}

// Channels of any group, each with elements of its own to meet: for groups of few channels. Taps are not taken in runs here.
@compute @workgroup_size(LANES)
fn convAcross(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let tile = locateTile(number);
  let phase = tile.phase;
  let wanted = vec4u(tile.column * 4u * LANES + lane) + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
  let channels = min(wanted, vec4u(params.channels - 1u));
  let groups = channels / params.perGroup;
  let columnAt = (channels - groups * params.perGroup) * params.wChannel + groups * params.wGroup;
  let base = groups * params.groupDepth;
  let place0 = placeOf(tile.place * 4u, phase);
  let place1 = placeOf(tile.place * 4u + 1u, phase);
  let place2 = placeOf(tile.place * 4u + 2u, phase);
  let place3 = placeOf(tile.place * 4u + 3u, phase);
  let z = vec4i(place0.at.x, place1.at.x, place2.at.x, place3.at.x);
  let y = vec4i(place0.at.y, place1.at.y, place2.at.y, place3.at.y);
  let x0 = vec4i(place0.at.z, place1.at.z, place2.at.z, place3.at.z);
  let origin = vec4u(place0.origin, place1.origin, place2.origin, place3.origin);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var tz = 0u; tz < params.kernel.x; tz++) {
    let reachZ = reachOf(0u, phase, tz);
    if (!reachZ.meets) { continue; }
    for (var ty = 0u; ty < params.kernel.y; ty++) {
      let reachY = reachOf(1u, phase, ty);
      if (!reachY.meets) { continue; }
      let validLine = (vec4u(z + reachZ.by) < vec4u(params.source.x)) & (vec4u(y + reachY.by) < vec4u(params.source.y));
      for (var tx = 0u; tx < params.kernel.z; tx++) {
        let reachX = reachOf(2u, phase, tx);
        if (!reachX.meets) { continue; }
        let along = u32(reachX.by) * params.pixel;
        let shift = u32(reachZ.by * i32(params.source.y) + reachY.by) * params.source.z + along;
        let valid = validLine & (vec4u(x0) + along < vec4u(params.source.z));
        let at = select(vec4u(), origin + shift, valid);
        var at0 = at.x + base;
        var at1 = at.y + base;
        var at2 = at.z + base;
        var at3 = at.w + base;
        var atW = ((tz * params.kernel.y + ty) * params.kernel.z + tx) * params.wTap + columnAt;
        for (var k = 0u; k < params.depth; k++) {
          let right = vec4f(w[atW.x], w[atW.y], w[atW.z], w[atW.w]);
          sum0 = fma(select(vec4f(), vec4f(x[at0.x], x[at0.y], x[at0.z], x[at0.w]), valid.x), right, sum0);
          sum1 = fma(select(vec4f(), vec4f(x[at1.x], x[at1.y], x[at1.z], x[at1.w]), valid.y), right, sum1);
          sum2 = fma(select(vec4f(), vec4f(x[at2.x], x[at2.y], x[at2.z], x[at2.w]), valid.z), right, sum2);
          sum3 = fma(select(vec4f(), vec4f(x[at3.x], x[at3.y], x[at3.z], x[at3.w]), valid.w), right, sum3);
          at0 += vec4u(1u);
          at1 += vec4u(1u);
          at2 += vec4u(1u);
          at3 += vec4u(1u);
          atW += vec4u(params.wDepth);
        }
      }
    }
  }
  var sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  let inside = wanted < vec4u(params.channels);
  var odd = false;
  for (var p = 0u; p < 4u; p++) {
    let place = placeOf(tile.place * 4u + p, phase);
    for (var e = 0u; e < 4u; e++) { odd |= storePlace(place, inside[e], channels[e], sums[p][e]); }
  }
  for (var p = select(4u, 0u, odd); p < 4u; p++) {
    let place = placeOf(tile.place * 4u + p, phase);
    for (var e = 0u; e < 4u; e++) { finishPlace(place, phase, base[e], columnAt[e], inside[e], channels[e], sums[p][e]); }
  }
}
