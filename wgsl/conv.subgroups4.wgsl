// Written by scripts/conv-siblings.ts; change it there.
enable subgroups;

// Convolution and its input gradient for devices whose subgroups have 4 invocations: the sibling of conv.wgsl,
// where the formula stands.
//
//   binding 1   x     (batch, ...source, sourceChannels)   read    zero beyond its edges
//   binding 2   w     element (tap, k, f in group g) at tap * wTap + k * wDepth + f * wChannel + g * wGroup    read
//   binding 3   bias  (channels,), or anything when hasBias is 0    read
//   binding 4   out   (batch, ...out, channels)    write
//
// A workgroup is one subgroup and owns 8 or 16 channels of one group at 32 places. Lane l owns the places
// l + 4 j, j < 8, in all these channels, and writes them with `=`. For each tap and each k, lane l loads w for the channels
// l + 4 g, and the lanes pass these numbers around. Channels and places beyond the edge are clamped and not stored.
//
// The lanes trade by quadSwap, so sum i of lane l belongs to the row (i - x) + (l ^ x), x = i % 4.

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

const STEPS = vec4u(0u, 1u, 2u, 3u);

fn hasNan(v: vec4f) -> bool {
  return any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn reluIf(v: vec4f, relu: vec4<bool>) -> vec4f {
  return select(v, vec4f(), (v < vec4f()) & relu);
}

// The taps that meet a phase, along each axis.
struct Taps {
  count: vec3u,
  first: vec3u,
  reach: vec3i, // of the first one
}

fn tapsOf(phase: vec3u) -> Taps {
  let phases = vec3i(params.phases);
  let stride = params.tapStride;
  let start = vec3i(phase) + params.offset;
  var first = params.kernel;
  for (var t = max(stride.x, max(stride.y, stride.z)); t > 0u; t--) {
    let ahead = start + i32(t - 1u) * params.tapStep;
    first = select(first, vec3u(t - 1u), ahead / phases * phases == ahead);
  }
  first = min(first, params.kernel);
  return Taps((params.kernel - first + stride - 1u) / stride, first, (start + vec3i(first) * params.tapStep) / phases);
}

// One loop instead of four: some drivers go once more through the body of every loop than it has turns.
fn nextTurn(now: vec4u, turns: vec4u) -> vec4u {
  let k = now.w + 1u;
  let x = now.z + u32(k == turns.w);
  let y = now.y + u32(x == turns.z);
  let z = now.x + u32(y == turns.y);
  return vec4u(
    z,
    select(y, 0u, y == turns.y),
    select(x, 0u, x == turns.z),
    select(k, 0u, k == turns.w),
  );
}

@compute @workgroup_size(4)
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
  let rowAt1 = min(column + lane + 4u, params.perGroup - 1u) * params.wChannel;
  let firstPlace = tile.place * 32u + lane;
  let place0 = placeOf(firstPlace + 0u, phase);
  let place1 = placeOf(firstPlace + 4u, phase);
  let place2 = placeOf(firstPlace + 8u, phase);
  let place3 = placeOf(firstPlace + 12u, phase);
  let place4 = placeOf(firstPlace + 16u, phase);
  let place5 = placeOf(firstPlace + 20u, phase);
  let place6 = placeOf(firstPlace + 24u, phase);
  let place7 = placeOf(firstPlace + 28u, phase);
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
  let source = params.source;
  let line = vec4u(source.z);
  let pixel = params.pixel;
  let kernel = params.kernel;
  let depth = params.depth;
  let wTap = params.wTap;
  let stepW = params.wDepth;
  let tapStride = params.tapStride;
  let reachStep = params.reachStep;
  let taps = tapsOf(phase);
  let turns = vec4u(taps.count, (depth + 3u) / 4u);
  let blocks = turns.x * turns.y * turns.z * turns.w;
  var turn = vec4u();
  for (var block = 0u; block < blocks; block++) {
    let k = turn.w * 4u;
    let tap = taps.first + turn.xyz * tapStride;
    let reach = taps.reach + vec3i(turn.xyz) * reachStep;
    let along = u32(reach.z) * pixel + base + k;
    let shift = u32(reach.x * i32(source.y) + reach.y) * source.z + along;
    let valid0 = (vec4u(z0 + reach.x) < vec4u(source.x)) & (vec4u(y0 + reach.y) < vec4u(source.y));
    let at0 = origin0 + shift;
    let in0 = select(vec4u(NOWHERE), x0 + along, valid0);
    let valid1 = (vec4u(z1 + reach.x) < vec4u(source.x)) & (vec4u(y1 + reach.y) < vec4u(source.y));
    let at1 = origin1 + shift;
    let in1 = select(vec4u(NOWHERE), x1 + along, valid1);
    let there = vec4u(k) + STEPS < vec4u(depth);
    let pw0 = ((tap.x * kernel.y + tap.y) * kernel.z + tap.z) * wTap + k * stepW + baseW;
    let pw1 = pw0 + stepW;
    let pw2 = pw1 + stepW;
    let pw3 = pw2 + stepW;
    let own0 = select(vec4f(), vec4f(w[pw0 + rowAt0], w[pw1 + rowAt0], w[pw2 + rowAt0], w[pw3 + rowAt0]), there);
    let own1 = select(vec4f(), vec4f(w[pw0 + rowAt1], w[pw1 + rowAt1], w[pw2 + rowAt1], w[pw3 + rowAt1]), there);
    let right0 = mat4x4f(
      select(vec4f(), vec4f(x[at0.x + 0u], x[at0.x + 1u], x[at0.x + 2u], x[at0.x + 3u]), vec4u(in0.x) + STEPS < line),
      select(vec4f(), vec4f(x[at0.y + 0u], x[at0.y + 1u], x[at0.y + 2u], x[at0.y + 3u]), vec4u(in0.y) + STEPS < line),
      select(vec4f(), vec4f(x[at0.z + 0u], x[at0.z + 1u], x[at0.z + 2u], x[at0.z + 3u]), vec4u(in0.z) + STEPS < line),
      select(vec4f(), vec4f(x[at0.w + 0u], x[at0.w + 1u], x[at0.w + 2u], x[at0.w + 3u]), vec4u(in0.w) + STEPS < line),
    );
    let right1 = mat4x4f(
      select(vec4f(), vec4f(x[at1.x + 0u], x[at1.x + 1u], x[at1.x + 2u], x[at1.x + 3u]), vec4u(in1.x) + STEPS < line),
      select(vec4f(), vec4f(x[at1.y + 0u], x[at1.y + 1u], x[at1.y + 2u], x[at1.y + 3u]), vec4u(in1.y) + STEPS < line),
      select(vec4f(), vec4f(x[at1.z + 0u], x[at1.z + 1u], x[at1.z + 2u], x[at1.z + 3u]), vec4u(in1.z) + STEPS < line),
      select(vec4f(), vec4f(x[at1.w + 0u], x[at1.w + 1u], x[at1.w + 2u], x[at1.w + 3u]), vec4u(in1.w) + STEPS < line),
    );
    let left0 = own0;
    sum0_0 += left0 * right0;
    sum0_1 += left0 * right1;
    let left1 = quadSwapX(own0);
    sum1_0 += left1 * right0;
    sum1_1 += left1 * right1;
    let left2 = quadSwapY(own0);
    sum2_0 += left2 * right0;
    sum2_1 += left2 * right1;
    let left3 = quadSwapDiagonal(own0);
    sum3_0 += left3 * right0;
    sum3_1 += left3 * right1;
    let left4 = own1;
    sum4_0 += left4 * right0;
    sum4_1 += left4 * right1;
    let left5 = quadSwapX(own1);
    sum5_0 += left5 * right0;
    sum5_1 += left5 * right1;
    let left6 = quadSwapY(own1);
    sum6_0 += left6 * right0;
    sum6_1 += left6 * right1;
    let left7 = quadSwapDiagonal(own1);
    sum7_0 += left7 * right0;
    sum7_1 += left7 * right1;
    turn = nextTurn(turn, turns);
  }
  let last = min(params.perGroup - column, 8u) - 1u;
  let firstChannel = tile.group * params.perGroup + column;
  let channels = vec4u(params.channels);
  let activation = params.activation;
  let relu = vec4<bool>(activation == 1u);
  var odd = activation > 1u;
  var biasOf0 = 0.0;
  var biasOf1 = 0.0;
  if (params.hasBias != 0u) {
    biasOf0 = bias[firstChannel + min(0u + lane, last)];
    biasOf1 = bias[firstChannel + min(4u + lane, last)];
  }
  let out0 = vec4u(place0.out, place1.out, place2.out, place3.out) * channels;
  let inside0 = vec4<bool>(place0.inside, place1.inside, place2.inside, place3.inside);
  let out1 = vec4u(place4.out, place5.out, place6.out, place7.out) * channels;
  let inside1 = vec4<bool>(place4.inside, place5.inside, place6.inside, place7.inside);
  let channel0 = firstChannel + min(0u + (lane ^ 0u), last);
  let bias0 = vec4f(biasOf0);
  {
    let v = reluIf(sum0_0 + bias0, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel0);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum0_1 + bias0, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel0);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel1 = firstChannel + min(0u + (lane ^ 1u), last);
  let bias1 = vec4f(quadSwapX(biasOf0));
  {
    let v = reluIf(sum1_0 + bias1, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel1);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum1_1 + bias1, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel1);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel2 = firstChannel + min(0u + (lane ^ 2u), last);
  let bias2 = vec4f(quadSwapY(biasOf0));
  {
    let v = reluIf(sum2_0 + bias2, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel2);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum2_1 + bias2, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel2);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel3 = firstChannel + min(0u + (lane ^ 3u), last);
  let bias3 = vec4f(quadSwapDiagonal(biasOf0));
  {
    let v = reluIf(sum3_0 + bias3, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel3);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum3_1 + bias3, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel3);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel4 = firstChannel + min(4u + (lane ^ 0u), last);
  let bias4 = vec4f(biasOf1);
  {
    let v = reluIf(sum4_0 + bias4, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel4);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum4_1 + bias4, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel4);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel5 = firstChannel + min(4u + (lane ^ 1u), last);
  let bias5 = vec4f(quadSwapX(biasOf1));
  {
    let v = reluIf(sum5_0 + bias5, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel5);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum5_1 + bias5, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel5);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel6 = firstChannel + min(4u + (lane ^ 2u), last);
  let bias6 = vec4f(quadSwapY(biasOf1));
  {
    let v = reluIf(sum6_0 + bias6, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel6);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum6_1 + bias6, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel6);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel7 = firstChannel + min(4u + (lane ^ 3u), last);
  let bias7 = vec4f(quadSwapDiagonal(biasOf1));
  {
    let v = reluIf(sum7_0 + bias7, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel7);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum7_1 + bias7, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel7);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
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
  for (var i = select(64u, 0u, odd); i < 64u; i++) {
    let row = i / 8u;
    let own = min((row & ~3u) + (lane ^ (row & 3u)), last);
    let columnAt = baseW + (column + own) * params.wChannel;
    let place = placeOf(firstPlace + i % 8u * 4u, phase);
    finishPlace(place, phase, base, columnAt, true, firstChannel + own, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(4)
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
  let rowAt1 = min(column + lane + 4u, params.perGroup - 1u) * params.wChannel;
  let rowAt2 = min(column + lane + 8u, params.perGroup - 1u) * params.wChannel;
  let rowAt3 = min(column + lane + 12u, params.perGroup - 1u) * params.wChannel;
  let firstPlace = tile.place * 32u + lane;
  let place0 = placeOf(firstPlace + 0u, phase);
  let place1 = placeOf(firstPlace + 4u, phase);
  let place2 = placeOf(firstPlace + 8u, phase);
  let place3 = placeOf(firstPlace + 12u, phase);
  let place4 = placeOf(firstPlace + 16u, phase);
  let place5 = placeOf(firstPlace + 20u, phase);
  let place6 = placeOf(firstPlace + 24u, phase);
  let place7 = placeOf(firstPlace + 28u, phase);
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
  let source = params.source;
  let line = vec4u(source.z);
  let pixel = params.pixel;
  let kernel = params.kernel;
  let depth = params.depth;
  let wTap = params.wTap;
  let stepW = params.wDepth;
  let tapStride = params.tapStride;
  let reachStep = params.reachStep;
  let taps = tapsOf(phase);
  let turns = vec4u(taps.count, (depth + 3u) / 4u);
  let blocks = turns.x * turns.y * turns.z * turns.w;
  var turn = vec4u();
  for (var block = 0u; block < blocks; block++) {
    let k = turn.w * 4u;
    let tap = taps.first + turn.xyz * tapStride;
    let reach = taps.reach + vec3i(turn.xyz) * reachStep;
    let along = u32(reach.z) * pixel + base + k;
    let shift = u32(reach.x * i32(source.y) + reach.y) * source.z + along;
    let valid0 = (vec4u(z0 + reach.x) < vec4u(source.x)) & (vec4u(y0 + reach.y) < vec4u(source.y));
    let at0 = origin0 + shift;
    let in0 = select(vec4u(NOWHERE), x0 + along, valid0);
    let valid1 = (vec4u(z1 + reach.x) < vec4u(source.x)) & (vec4u(y1 + reach.y) < vec4u(source.y));
    let at1 = origin1 + shift;
    let in1 = select(vec4u(NOWHERE), x1 + along, valid1);
    let there = vec4u(k) + STEPS < vec4u(depth);
    let pw0 = ((tap.x * kernel.y + tap.y) * kernel.z + tap.z) * wTap + k * stepW + baseW;
    let pw1 = pw0 + stepW;
    let pw2 = pw1 + stepW;
    let pw3 = pw2 + stepW;
    let own0 = select(vec4f(), vec4f(w[pw0 + rowAt0], w[pw1 + rowAt0], w[pw2 + rowAt0], w[pw3 + rowAt0]), there);
    let own1 = select(vec4f(), vec4f(w[pw0 + rowAt1], w[pw1 + rowAt1], w[pw2 + rowAt1], w[pw3 + rowAt1]), there);
    let own2 = select(vec4f(), vec4f(w[pw0 + rowAt2], w[pw1 + rowAt2], w[pw2 + rowAt2], w[pw3 + rowAt2]), there);
    let own3 = select(vec4f(), vec4f(w[pw0 + rowAt3], w[pw1 + rowAt3], w[pw2 + rowAt3], w[pw3 + rowAt3]), there);
    let right0 = mat4x4f(
      select(vec4f(), vec4f(x[at0.x + 0u], x[at0.x + 1u], x[at0.x + 2u], x[at0.x + 3u]), vec4u(in0.x) + STEPS < line),
      select(vec4f(), vec4f(x[at0.y + 0u], x[at0.y + 1u], x[at0.y + 2u], x[at0.y + 3u]), vec4u(in0.y) + STEPS < line),
      select(vec4f(), vec4f(x[at0.z + 0u], x[at0.z + 1u], x[at0.z + 2u], x[at0.z + 3u]), vec4u(in0.z) + STEPS < line),
      select(vec4f(), vec4f(x[at0.w + 0u], x[at0.w + 1u], x[at0.w + 2u], x[at0.w + 3u]), vec4u(in0.w) + STEPS < line),
    );
    let right1 = mat4x4f(
      select(vec4f(), vec4f(x[at1.x + 0u], x[at1.x + 1u], x[at1.x + 2u], x[at1.x + 3u]), vec4u(in1.x) + STEPS < line),
      select(vec4f(), vec4f(x[at1.y + 0u], x[at1.y + 1u], x[at1.y + 2u], x[at1.y + 3u]), vec4u(in1.y) + STEPS < line),
      select(vec4f(), vec4f(x[at1.z + 0u], x[at1.z + 1u], x[at1.z + 2u], x[at1.z + 3u]), vec4u(in1.z) + STEPS < line),
      select(vec4f(), vec4f(x[at1.w + 0u], x[at1.w + 1u], x[at1.w + 2u], x[at1.w + 3u]), vec4u(in1.w) + STEPS < line),
    );
    let left0 = own0;
    sum0_0 += left0 * right0;
    sum0_1 += left0 * right1;
    let left1 = quadSwapX(own0);
    sum1_0 += left1 * right0;
    sum1_1 += left1 * right1;
    let left2 = quadSwapY(own0);
    sum2_0 += left2 * right0;
    sum2_1 += left2 * right1;
    let left3 = quadSwapDiagonal(own0);
    sum3_0 += left3 * right0;
    sum3_1 += left3 * right1;
    let left4 = own1;
    sum4_0 += left4 * right0;
    sum4_1 += left4 * right1;
    let left5 = quadSwapX(own1);
    sum5_0 += left5 * right0;
    sum5_1 += left5 * right1;
    let left6 = quadSwapY(own1);
    sum6_0 += left6 * right0;
    sum6_1 += left6 * right1;
    let left7 = quadSwapDiagonal(own1);
    sum7_0 += left7 * right0;
    sum7_1 += left7 * right1;
    let left8 = own2;
    sum8_0 += left8 * right0;
    sum8_1 += left8 * right1;
    let left9 = quadSwapX(own2);
    sum9_0 += left9 * right0;
    sum9_1 += left9 * right1;
    let left10 = quadSwapY(own2);
    sum10_0 += left10 * right0;
    sum10_1 += left10 * right1;
    let left11 = quadSwapDiagonal(own2);
    sum11_0 += left11 * right0;
    sum11_1 += left11 * right1;
    let left12 = own3;
    sum12_0 += left12 * right0;
    sum12_1 += left12 * right1;
    let left13 = quadSwapX(own3);
    sum13_0 += left13 * right0;
    sum13_1 += left13 * right1;
    let left14 = quadSwapY(own3);
    sum14_0 += left14 * right0;
    sum14_1 += left14 * right1;
    let left15 = quadSwapDiagonal(own3);
    sum15_0 += left15 * right0;
    sum15_1 += left15 * right1;
    turn = nextTurn(turn, turns);
  }
  let last = min(params.perGroup - column, 16u) - 1u;
  let firstChannel = tile.group * params.perGroup + column;
  let channels = vec4u(params.channels);
  let activation = params.activation;
  let relu = vec4<bool>(activation == 1u);
  var odd = activation > 1u;
  var biasOf0 = 0.0;
  var biasOf1 = 0.0;
  var biasOf2 = 0.0;
  var biasOf3 = 0.0;
  if (params.hasBias != 0u) {
    biasOf0 = bias[firstChannel + min(0u + lane, last)];
    biasOf1 = bias[firstChannel + min(4u + lane, last)];
    biasOf2 = bias[firstChannel + min(8u + lane, last)];
    biasOf3 = bias[firstChannel + min(12u + lane, last)];
  }
  let out0 = vec4u(place0.out, place1.out, place2.out, place3.out) * channels;
  let inside0 = vec4<bool>(place0.inside, place1.inside, place2.inside, place3.inside);
  let out1 = vec4u(place4.out, place5.out, place6.out, place7.out) * channels;
  let inside1 = vec4<bool>(place4.inside, place5.inside, place6.inside, place7.inside);
  let channel0 = firstChannel + min(0u + (lane ^ 0u), last);
  let bias0 = vec4f(biasOf0);
  {
    let v = reluIf(sum0_0 + bias0, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel0);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum0_1 + bias0, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel0);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel1 = firstChannel + min(0u + (lane ^ 1u), last);
  let bias1 = vec4f(quadSwapX(biasOf0));
  {
    let v = reluIf(sum1_0 + bias1, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel1);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum1_1 + bias1, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel1);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel2 = firstChannel + min(0u + (lane ^ 2u), last);
  let bias2 = vec4f(quadSwapY(biasOf0));
  {
    let v = reluIf(sum2_0 + bias2, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel2);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum2_1 + bias2, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel2);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel3 = firstChannel + min(0u + (lane ^ 3u), last);
  let bias3 = vec4f(quadSwapDiagonal(biasOf0));
  {
    let v = reluIf(sum3_0 + bias3, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel3);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum3_1 + bias3, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel3);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel4 = firstChannel + min(4u + (lane ^ 0u), last);
  let bias4 = vec4f(biasOf1);
  {
    let v = reluIf(sum4_0 + bias4, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel4);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum4_1 + bias4, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel4);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel5 = firstChannel + min(4u + (lane ^ 1u), last);
  let bias5 = vec4f(quadSwapX(biasOf1));
  {
    let v = reluIf(sum5_0 + bias5, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel5);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum5_1 + bias5, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel5);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel6 = firstChannel + min(4u + (lane ^ 2u), last);
  let bias6 = vec4f(quadSwapY(biasOf1));
  {
    let v = reluIf(sum6_0 + bias6, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel6);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum6_1 + bias6, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel6);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel7 = firstChannel + min(4u + (lane ^ 3u), last);
  let bias7 = vec4f(quadSwapDiagonal(biasOf1));
  {
    let v = reluIf(sum7_0 + bias7, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel7);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum7_1 + bias7, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel7);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel8 = firstChannel + min(8u + (lane ^ 0u), last);
  let bias8 = vec4f(biasOf2);
  {
    let v = reluIf(sum8_0 + bias8, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel8);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum8_1 + bias8, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel8);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel9 = firstChannel + min(8u + (lane ^ 1u), last);
  let bias9 = vec4f(quadSwapX(biasOf2));
  {
    let v = reluIf(sum9_0 + bias9, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel9);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum9_1 + bias9, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel9);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel10 = firstChannel + min(8u + (lane ^ 2u), last);
  let bias10 = vec4f(quadSwapY(biasOf2));
  {
    let v = reluIf(sum10_0 + bias10, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel10);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum10_1 + bias10, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel10);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel11 = firstChannel + min(8u + (lane ^ 3u), last);
  let bias11 = vec4f(quadSwapDiagonal(biasOf2));
  {
    let v = reluIf(sum11_0 + bias11, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel11);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum11_1 + bias11, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel11);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel12 = firstChannel + min(12u + (lane ^ 0u), last);
  let bias12 = vec4f(biasOf3);
  {
    let v = reluIf(sum12_0 + bias12, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel12);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum12_1 + bias12, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel12);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel13 = firstChannel + min(12u + (lane ^ 1u), last);
  let bias13 = vec4f(quadSwapX(biasOf3));
  {
    let v = reluIf(sum13_0 + bias13, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel13);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum13_1 + bias13, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel13);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel14 = firstChannel + min(12u + (lane ^ 2u), last);
  let bias14 = vec4f(quadSwapY(biasOf3));
  {
    let v = reluIf(sum14_0 + bias14, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel14);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum14_1 + bias14, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel14);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
  }
  let channel15 = firstChannel + min(12u + (lane ^ 3u), last);
  let bias15 = vec4f(quadSwapDiagonal(biasOf3));
  {
    let v = reluIf(sum15_0 + bias15, relu);
    odd |= hasNan(v);
    let at = out0 + vec4u(channel15);
    if (inside0.x) { out[at.x] = v.x; }
    if (inside0.y) { out[at.y] = v.y; }
    if (inside0.z) { out[at.z] = v.z; }
    if (inside0.w) { out[at.w] = v.w; }
  }
  {
    let v = reluIf(sum15_1 + bias15, relu);
    odd |= hasNan(v);
    let at = out1 + vec4u(channel15);
    if (inside1.x) { out[at.x] = v.x; }
    if (inside1.y) { out[at.y] = v.y; }
    if (inside1.z) { out[at.z] = v.z; }
    if (inside1.w) { out[at.w] = v.w; }
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
  for (var i = select(128u, 0u, odd); i < 128u; i++) {
    let row = i / 8u;
    let own = min((row & ~3u) + (lane ^ (row & 3u)), last);
    let columnAt = baseW + (column + own) * params.wChannel;
    let place = placeOf(firstPlace + i % 8u * 4u, phase);
    finishPlace(place, phase, base, columnAt, true, firstChannel + own, sums[i / 4u][i % 4u]);
  }
}
