// Written by scripts/conv-siblings.ts; change it there.
enable subgroups;

// Convolution and its input gradient for devices whose subgroups have 8 invocations: the sibling of conv.wgsl,
// where the formula stands.
//
//   binding 1   x     (batch, ...source, sourceChannels)   read    zero beyond its edges
//   binding 2   w     element (tap, k, f in group g) at tap * wTap + k * wDepth + f * wChannel + g * wGroup    read
//   binding 3   bias  (channels,), or anything when hasBias is 0    read
//   binding 4   out   (batch, ...out, channels)    write
//
// A workgroup is one subgroup and owns 8 or 16 channels of one group at 64 places. Lane l owns the places
// l + 8 j, j < 8, in all these channels, and writes them with `=`. For each tap and each k, lane l loads w for the channels
// l + 8 g, and the lanes pass these numbers around. Channels and places beyond the edge are clamped and not stored.

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

@compute @workgroup_size(8)
fn conv8(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let tile = locateTile(number);
  let phase = tile.phase;
  let column = tile.column * 8u;
  let base = tile.group * params.groupDepth;
  let baseW = tile.group * params.wGroup;
  let rowAt0 = min(column + lane + 0u, params.perGroup - 1u) * params.wChannel;
  let firstPlace = tile.place * 64u + lane;
  let place0 = placeOf(firstPlace + 0u, phase);
  let place1 = placeOf(firstPlace + 8u, phase);
  let place2 = placeOf(firstPlace + 16u, phase);
  let place3 = placeOf(firstPlace + 24u, phase);
  let place4 = placeOf(firstPlace + 32u, phase);
  let place5 = placeOf(firstPlace + 40u, phase);
  let place6 = placeOf(firstPlace + 48u, phase);
  let place7 = placeOf(firstPlace + 56u, phase);
  let z0 = vec4i(place0.at.x, place1.at.x, place2.at.x, place3.at.x);
  let y0 = vec4i(place0.at.y, place1.at.y, place2.at.y, place3.at.y);
  let x0 = vec4u(u32(place0.at.z), u32(place1.at.z), u32(place2.at.z), u32(place3.at.z));
  let origin0 = vec4u(place0.origin, place1.origin, place2.origin, place3.origin);
  let z1 = vec4i(place4.at.x, place5.at.x, place6.at.x, place7.at.x);
  let y1 = vec4i(place4.at.y, place5.at.y, place6.at.y, place7.at.y);
  let x1 = vec4u(u32(place4.at.z), u32(place5.at.z), u32(place6.at.z), u32(place7.at.z));
  let origin1 = vec4u(place4.origin, place5.origin, place6.origin, place7.origin);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var sum2_0 = vec4f();
  var sum2_1 = vec4f();
  var sum3_0 = vec4f();
  var sum3_1 = vec4f();
  var sum4_0 = vec4f();
  var sum4_1 = vec4f();
  var sum5_0 = vec4f();
  var sum5_1 = vec4f();
  var sum6_0 = vec4f();
  var sum6_1 = vec4f();
  var sum7_0 = vec4f();
  var sum7_1 = vec4f();
  let line = vec4u(params.source.z);
  let depth = params.depth;
  let stepW = params.wDepth;
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
        let valid0 = (vec4u(z0 + reachZ.by) < vec4u(params.source.x)) & (vec4u(y0 + reachY.by) < vec4u(params.source.y));
        var at0 = origin0 + shift;
        var in0 = select(vec4u(NOWHERE), x0 + along, valid0);
        let valid1 = (vec4u(z1 + reachZ.by) < vec4u(params.source.x)) & (vec4u(y1 + reachY.by) < vec4u(params.source.y));
        var at1 = origin1 + shift;
        var in1 = select(vec4u(NOWHERE), x1 + along, valid1);
        var pw = ((tz * params.kernel.y + ty) * params.kernel.z + tx) * params.wTap + baseW;
        for (var k = 0u; k < depth; k++) {
          let right0 = select(vec4f(), vec4f(x[at0.x], x[at0.y], x[at0.z], x[at0.w]), in0 < line);
          let right1 = select(vec4f(), vec4f(x[at1.x], x[at1.y], x[at1.z], x[at1.w]), in1 < line);
          let own0 = w[pw + rowAt0];
          let left0 = vec4f(subgroupBroadcast(own0, 0u));
          sum0_0 = fma(left0, right0, sum0_0);
          sum0_1 = fma(left0, right1, sum0_1);
          let left1 = vec4f(subgroupBroadcast(own0, 1u));
          sum1_0 = fma(left1, right0, sum1_0);
          sum1_1 = fma(left1, right1, sum1_1);
          let left2 = vec4f(subgroupBroadcast(own0, 2u));
          sum2_0 = fma(left2, right0, sum2_0);
          sum2_1 = fma(left2, right1, sum2_1);
          let left3 = vec4f(subgroupBroadcast(own0, 3u));
          sum3_0 = fma(left3, right0, sum3_0);
          sum3_1 = fma(left3, right1, sum3_1);
          let left4 = vec4f(subgroupBroadcast(own0, 4u));
          sum4_0 = fma(left4, right0, sum4_0);
          sum4_1 = fma(left4, right1, sum4_1);
          let left5 = vec4f(subgroupBroadcast(own0, 5u));
          sum5_0 = fma(left5, right0, sum5_0);
          sum5_1 = fma(left5, right1, sum5_1);
          let left6 = vec4f(subgroupBroadcast(own0, 6u));
          sum6_0 = fma(left6, right0, sum6_0);
          sum6_1 = fma(left6, right1, sum6_1);
          let left7 = vec4f(subgroupBroadcast(own0, 7u));
          sum7_0 = fma(left7, right0, sum7_0);
          sum7_1 = fma(left7, right1, sum7_1);
          at0 += vec4u(1u);
          in0 += vec4u(1u);
          at1 += vec4u(1u);
          in1 += vec4u(1u);
          pw += stepW;
        }
      }
    }
  }
  var sums = array<vec4f, 16>(
    sum0_0, sum0_1,
    sum1_0, sum1_1,
    sum2_0, sum2_1,
    sum3_0, sum3_1,
    sum4_0, sum4_1,
    sum5_0, sum5_1,
    sum6_0, sum6_1,
    sum7_0, sum7_1,
  );
  var outs = array<vec4u, 2>(vec4u(place0.out, place1.out, place2.out, place3.out), vec4u(place4.out, place5.out, place6.out, place7.out));
  var inside = array<vec4<bool>, 2>(vec4<bool>(place0.inside, place1.inside, place2.inside, place3.inside), vec4<bool>(place4.inside, place5.inside, place6.inside, place7.inside));
  // Channels that are not there do not count; this also keeps drivers from unrolling the loops.
  let rows = min(params.perGroup - column, 8u);
  let all = rows * 2u;
  let firstChannel = tile.group * params.perGroup + column;
  var odd = params.activation > 1u;
  for (var i = 0u; i < all; i++) {
    let channel = firstChannel + i / 2u;
    var v = sums[i] + vec4f(select(0.0, bias[channel * params.hasBias], params.hasBias != 0u));
    v = select(v, vec4f(), (v < vec4f()) & vec4<bool>(params.activation == 1u));
    odd |= any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
    let at = outs[i % 2u] * params.channels + vec4u(channel);
    let there = inside[i % 2u];
    if (there.x) { out[at.x] = v.x; }
    if (there.y) { out[at.y] = v.y; }
    if (there.z) { out[at.z] = v.z; }
    if (there.w) { out[at.w] = v.w; }
  }
  for (var i = select(all, 0u, odd); i < all; i++) {
    let row = i / 2u;
    let columnAt = baseW + (column + row) * params.wChannel;
    for (var e = 0u; e < 4u; e++) {
      let place = placeOf(firstPlace + (i % 2u * 4u + e) * 8u, phase);
      finishPlace(place, phase, base, columnAt, true, firstChannel + row, sums[i][e]);
    }
  }
}

@compute @workgroup_size(8)
fn conv16(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let tile = locateTile(number);
  let phase = tile.phase;
  let column = tile.column * 16u;
  let base = tile.group * params.groupDepth;
  let baseW = tile.group * params.wGroup;
  let rowAt0 = min(column + lane + 0u, params.perGroup - 1u) * params.wChannel;
  let rowAt1 = min(column + lane + 8u, params.perGroup - 1u) * params.wChannel;
  let firstPlace = tile.place * 64u + lane;
  let place0 = placeOf(firstPlace + 0u, phase);
  let place1 = placeOf(firstPlace + 8u, phase);
  let place2 = placeOf(firstPlace + 16u, phase);
  let place3 = placeOf(firstPlace + 24u, phase);
  let place4 = placeOf(firstPlace + 32u, phase);
  let place5 = placeOf(firstPlace + 40u, phase);
  let place6 = placeOf(firstPlace + 48u, phase);
  let place7 = placeOf(firstPlace + 56u, phase);
  let z0 = vec4i(place0.at.x, place1.at.x, place2.at.x, place3.at.x);
  let y0 = vec4i(place0.at.y, place1.at.y, place2.at.y, place3.at.y);
  let x0 = vec4u(u32(place0.at.z), u32(place1.at.z), u32(place2.at.z), u32(place3.at.z));
  let origin0 = vec4u(place0.origin, place1.origin, place2.origin, place3.origin);
  let z1 = vec4i(place4.at.x, place5.at.x, place6.at.x, place7.at.x);
  let y1 = vec4i(place4.at.y, place5.at.y, place6.at.y, place7.at.y);
  let x1 = vec4u(u32(place4.at.z), u32(place5.at.z), u32(place6.at.z), u32(place7.at.z));
  let origin1 = vec4u(place4.origin, place5.origin, place6.origin, place7.origin);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var sum2_0 = vec4f();
  var sum2_1 = vec4f();
  var sum3_0 = vec4f();
  var sum3_1 = vec4f();
  var sum4_0 = vec4f();
  var sum4_1 = vec4f();
  var sum5_0 = vec4f();
  var sum5_1 = vec4f();
  var sum6_0 = vec4f();
  var sum6_1 = vec4f();
  var sum7_0 = vec4f();
  var sum7_1 = vec4f();
  var sum8_0 = vec4f();
  var sum8_1 = vec4f();
  var sum9_0 = vec4f();
  var sum9_1 = vec4f();
  var sum10_0 = vec4f();
  var sum10_1 = vec4f();
  var sum11_0 = vec4f();
  var sum11_1 = vec4f();
  var sum12_0 = vec4f();
  var sum12_1 = vec4f();
  var sum13_0 = vec4f();
  var sum13_1 = vec4f();
  var sum14_0 = vec4f();
  var sum14_1 = vec4f();
  var sum15_0 = vec4f();
  var sum15_1 = vec4f();
  let line = vec4u(params.source.z);
  let depth = params.depth;
  let stepW = params.wDepth;
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
        let valid0 = (vec4u(z0 + reachZ.by) < vec4u(params.source.x)) & (vec4u(y0 + reachY.by) < vec4u(params.source.y));
        var at0 = origin0 + shift;
        var in0 = select(vec4u(NOWHERE), x0 + along, valid0);
        let valid1 = (vec4u(z1 + reachZ.by) < vec4u(params.source.x)) & (vec4u(y1 + reachY.by) < vec4u(params.source.y));
        var at1 = origin1 + shift;
        var in1 = select(vec4u(NOWHERE), x1 + along, valid1);
        var pw = ((tz * params.kernel.y + ty) * params.kernel.z + tx) * params.wTap + baseW;
        for (var k = 0u; k < depth; k++) {
          let right0 = select(vec4f(), vec4f(x[at0.x], x[at0.y], x[at0.z], x[at0.w]), in0 < line);
          let right1 = select(vec4f(), vec4f(x[at1.x], x[at1.y], x[at1.z], x[at1.w]), in1 < line);
          let own0 = w[pw + rowAt0];
          let own1 = w[pw + rowAt1];
          let left0 = vec4f(subgroupBroadcast(own0, 0u));
          sum0_0 = fma(left0, right0, sum0_0);
          sum0_1 = fma(left0, right1, sum0_1);
          let left1 = vec4f(subgroupBroadcast(own0, 1u));
          sum1_0 = fma(left1, right0, sum1_0);
          sum1_1 = fma(left1, right1, sum1_1);
          let left2 = vec4f(subgroupBroadcast(own0, 2u));
          sum2_0 = fma(left2, right0, sum2_0);
          sum2_1 = fma(left2, right1, sum2_1);
          let left3 = vec4f(subgroupBroadcast(own0, 3u));
          sum3_0 = fma(left3, right0, sum3_0);
          sum3_1 = fma(left3, right1, sum3_1);
          let left4 = vec4f(subgroupBroadcast(own0, 4u));
          sum4_0 = fma(left4, right0, sum4_0);
          sum4_1 = fma(left4, right1, sum4_1);
          let left5 = vec4f(subgroupBroadcast(own0, 5u));
          sum5_0 = fma(left5, right0, sum5_0);
          sum5_1 = fma(left5, right1, sum5_1);
          let left6 = vec4f(subgroupBroadcast(own0, 6u));
          sum6_0 = fma(left6, right0, sum6_0);
          sum6_1 = fma(left6, right1, sum6_1);
          let left7 = vec4f(subgroupBroadcast(own0, 7u));
          sum7_0 = fma(left7, right0, sum7_0);
          sum7_1 = fma(left7, right1, sum7_1);
          let left8 = vec4f(subgroupBroadcast(own1, 0u));
          sum8_0 = fma(left8, right0, sum8_0);
          sum8_1 = fma(left8, right1, sum8_1);
          let left9 = vec4f(subgroupBroadcast(own1, 1u));
          sum9_0 = fma(left9, right0, sum9_0);
          sum9_1 = fma(left9, right1, sum9_1);
          let left10 = vec4f(subgroupBroadcast(own1, 2u));
          sum10_0 = fma(left10, right0, sum10_0);
          sum10_1 = fma(left10, right1, sum10_1);
          let left11 = vec4f(subgroupBroadcast(own1, 3u));
          sum11_0 = fma(left11, right0, sum11_0);
          sum11_1 = fma(left11, right1, sum11_1);
          let left12 = vec4f(subgroupBroadcast(own1, 4u));
          sum12_0 = fma(left12, right0, sum12_0);
          sum12_1 = fma(left12, right1, sum12_1);
          let left13 = vec4f(subgroupBroadcast(own1, 5u));
          sum13_0 = fma(left13, right0, sum13_0);
          sum13_1 = fma(left13, right1, sum13_1);
          let left14 = vec4f(subgroupBroadcast(own1, 6u));
          sum14_0 = fma(left14, right0, sum14_0);
          sum14_1 = fma(left14, right1, sum14_1);
          let left15 = vec4f(subgroupBroadcast(own1, 7u));
          sum15_0 = fma(left15, right0, sum15_0);
          sum15_1 = fma(left15, right1, sum15_1);
          at0 += vec4u(1u);
          in0 += vec4u(1u);
          at1 += vec4u(1u);
          in1 += vec4u(1u);
          pw += stepW;
        }
      }
    }
  }
  var sums = array<vec4f, 32>(
    sum0_0, sum0_1,
    sum1_0, sum1_1,
    sum2_0, sum2_1,
    sum3_0, sum3_1,
    sum4_0, sum4_1,
    sum5_0, sum5_1,
    sum6_0, sum6_1,
    sum7_0, sum7_1,
    sum8_0, sum8_1,
    sum9_0, sum9_1,
    sum10_0, sum10_1,
    sum11_0, sum11_1,
    sum12_0, sum12_1,
    sum13_0, sum13_1,
    sum14_0, sum14_1,
    sum15_0, sum15_1,
  );
  var outs = array<vec4u, 2>(vec4u(place0.out, place1.out, place2.out, place3.out), vec4u(place4.out, place5.out, place6.out, place7.out));
  var inside = array<vec4<bool>, 2>(vec4<bool>(place0.inside, place1.inside, place2.inside, place3.inside), vec4<bool>(place4.inside, place5.inside, place6.inside, place7.inside));
  // Channels that are not there do not count; this also keeps drivers from unrolling the loops.
  let rows = min(params.perGroup - column, 16u);
  let all = rows * 2u;
  let firstChannel = tile.group * params.perGroup + column;
  var odd = params.activation > 1u;
  for (var i = 0u; i < all; i++) {
    let channel = firstChannel + i / 2u;
    var v = sums[i] + vec4f(select(0.0, bias[channel * params.hasBias], params.hasBias != 0u));
    v = select(v, vec4f(), (v < vec4f()) & vec4<bool>(params.activation == 1u));
    odd |= any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
    let at = outs[i % 2u] * params.channels + vec4u(channel);
    let there = inside[i % 2u];
    if (there.x) { out[at.x] = v.x; }
    if (there.y) { out[at.y] = v.y; }
    if (there.z) { out[at.z] = v.z; }
    if (there.w) { out[at.w] = v.w; }
  }
  for (var i = select(all, 0u, odd); i < all; i++) {
    let row = i / 2u;
    let columnAt = baseW + (column + row) * params.wChannel;
    for (var e = 0u; e < 4u; e++) {
      let place = placeOf(firstPlace + (i % 2u * 4u + e) * 8u, phase);
      finishPlace(place, phase, base, columnAt, true, firstChannel + row, sums[i][e]);
    }
  }
}
