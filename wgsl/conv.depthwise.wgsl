// Written by scripts/conv-siblings.ts; change it there.
//
// Convolution and its input gradient by channel: the sibling of conv.wgsl, where the formula stands.
//
//   binding 1   x     (batch, ...source, sourceChannels)   read    zero beyond its edges
//   binding 2   w     element (tap, k, f in group g) at tap * wTap + k * wDepth + f * wChannel + g * wGroup    read
//   binding 3   bias  (channels,), or anything when hasBias is 0    read
//   binding 4   out   (batch, ...out, channels)    write
//
// For groups of one channel that make one channel, a multiple of four of them; x, w, bias and out are bound as vectors of four
// channels. An invocation owns four neighbouring channels at 8 neighbouring or 4 other places and writes them with `=`; the lanes lie along the channels.

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

override LANES: u32 = 8u;

@group(0) @binding(1) var<storage, read> xQuads: array<vec4f>;
@group(0) @binding(2) var<storage, read> wQuads: array<vec4f>;
@group(0) @binding(3) var<storage, read> biasQuads: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> outQuads: array<vec4f>;

fn hasNan(v: vec4f) -> bool {
  return any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn reluIf(v: vec4f, relu: vec4<bool>) -> vec4f {
  return select(v, vec4f(), (v < vec4f()) & relu);
}

// The sum for one place and four channels, without the padding.
fn plainDepthwise(place: Place, phase: vec3u, quad: u32) -> vec4f {
  var sum = vec4f();
  let quads = params.channels / 4u;
  let taps = params.kernel.x * params.kernel.y * params.kernel.z;
  for (var tap = 0u; tap < taps; tap++) {
    let line = tap / params.kernel.z;
    let reachZ = reachOf(0u, phase, line / params.kernel.y);
    let reachY = reachOf(1u, phase, line % params.kernel.y);
    let reachX = reachOf(2u, phase, tap % params.kernel.z);
    if (!(reachZ.meets && reachY.meets && reachX.meets)) { continue; }
    let at = place.at + vec3i(reachZ.by, reachY.by, reachX.by * i32(params.pixel));
    if (any(vec3u(at) >= params.source)) { continue; }
    let shift = (reachZ.by * i32(params.source.y) + reachY.by) * i32(params.source.z) + reachX.by * i32(params.pixel);
    sum = fma(xQuads[(place.origin + u32(shift)) / 4u + quad], wQuads[tap * quads + quad], sum);
  }
  return sum;
}

// Stores four channels of one place that take more than relu; outside of the result it does nothing.
fn finishQuad(place: Place, phase: vec3u, quad: u32, sum: vec4f, biasOfQuad: vec4f) {
  if (!place.inside) { return; }
  var v = sum;
  if (hasNan(v)) { v = plainDepthwise(place, phase, quad); }
  v += biasOfQuad;
  for (var e = 0u; e < 4u; e++) { v[e] = activate(v[e]); }
  outQuads[place.out * params.channels / 4u + quad] = v;
}

// Neighbouring places of a line, where the window moves by one from place to place and from tap to tap: each vector that is
// loaded serves up to 3 taps. The last piece of a line ends where the line does, so two may write one place, both the same.
@compute @workgroup_size(LANES)
fn depthwise(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let item = min(number * LANES + lane, params.items - 1u);
  let quads = params.channels / 4u;
  let piece = item / quads;
  let quad = item - piece * quads;
  let phase = vec3u();
  let outLine = piece / params.pieces;
  let first = outLine * params.grid.z + min((piece - outLine * params.pieces) * 8u, params.grid.z - 8u);
  let place = placeOf(first, phase);
  let pixel = params.pixel;
  let line = params.source.z;
  let width = i32(params.kernel.z);
  let backwards = params.tapStep.z < 0;
  let ahead = params.offset.z - select(0, width - 1, backwards);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  var sum4 = vec4f();
  var sum5 = vec4f();
  var sum6 = vec4f();
  var sum7 = vec4f();
  // One loop instead of three: some drivers go once more through the body of every loop than it has turns.
  for (var turn = 0u; turn < params.blocks; turn++) {
    let lineOfTaps = turn / params.tapTurns;
    let tx = i32(turn - lineOfTaps * params.tapTurns) * 3;
    let tz = lineOfTaps / params.kernel.y;
    let reachZ = params.offset.x + i32(tz) * params.tapStep.x;
    let reachY = params.offset.y + i32(lineOfTaps - tz * params.kernel.y) * params.tapStep.y;
    let valid = u32(place.at.x + reachZ) < params.source.x && u32(place.at.y + reachY) < params.source.y;
    let along = (ahead + tx) * i32(pixel);
    let at = place.origin + u32((reachZ * i32(params.source.y) + reachY) * i32(line) + along);
    let inLine = select(NOWHERE, u32(place.at.z + along), valid);
    let x0 = select(vec4f(), xQuads[(at + 0u * pixel) / 4u + quad], inLine + 0u * pixel < line);
    let x1 = select(vec4f(), xQuads[(at + 1u * pixel) / 4u + quad], inLine + 1u * pixel < line);
    let x2 = select(vec4f(), xQuads[(at + 2u * pixel) / 4u + quad], inLine + 2u * pixel < line);
    let x3 = select(vec4f(), xQuads[(at + 3u * pixel) / 4u + quad], inLine + 3u * pixel < line);
    let x4 = select(vec4f(), xQuads[(at + 4u * pixel) / 4u + quad], inLine + 4u * pixel < line);
    let x5 = select(vec4f(), xQuads[(at + 5u * pixel) / 4u + quad], inLine + 5u * pixel < line);
    let x6 = select(vec4f(), xQuads[(at + 6u * pixel) / 4u + quad], inLine + 6u * pixel < line);
    let x7 = select(vec4f(), xQuads[(at + 7u * pixel) / 4u + quad], inLine + 7u * pixel < line);
    let x8 = select(vec4f(), xQuads[(at + 8u * pixel) / 4u + quad], inLine + 8u * pixel < line);
    let x9 = select(vec4f(), xQuads[(at + 9u * pixel) / 4u + quad], inLine + 9u * pixel < line);
    let tap0 = min(tx + 0, width - 1);
    let column0 = u32(select(tap0, width - 1 - tap0, backwards));
    let right0 = select(vec4f(), wQuads[(lineOfTaps * params.kernel.z + column0) * quads + quad], tx + 0 < width);
    sum0 = fma(x0, right0, sum0);
    sum1 = fma(x1, right0, sum1);
    sum2 = fma(x2, right0, sum2);
    sum3 = fma(x3, right0, sum3);
    sum4 = fma(x4, right0, sum4);
    sum5 = fma(x5, right0, sum5);
    sum6 = fma(x6, right0, sum6);
    sum7 = fma(x7, right0, sum7);
    let tap1 = min(tx + 1, width - 1);
    let column1 = u32(select(tap1, width - 1 - tap1, backwards));
    let right1 = select(vec4f(), wQuads[(lineOfTaps * params.kernel.z + column1) * quads + quad], tx + 1 < width);
    sum0 = fma(x1, right1, sum0);
    sum1 = fma(x2, right1, sum1);
    sum2 = fma(x3, right1, sum2);
    sum3 = fma(x4, right1, sum3);
    sum4 = fma(x5, right1, sum4);
    sum5 = fma(x6, right1, sum5);
    sum6 = fma(x7, right1, sum6);
    sum7 = fma(x8, right1, sum7);
    let tap2 = min(tx + 2, width - 1);
    let column2 = u32(select(tap2, width - 1 - tap2, backwards));
    let right2 = select(vec4f(), wQuads[(lineOfTaps * params.kernel.z + column2) * quads + quad], tx + 2 < width);
    sum0 = fma(x2, right2, sum0);
    sum1 = fma(x3, right2, sum1);
    sum2 = fma(x4, right2, sum2);
    sum3 = fma(x5, right2, sum3);
    sum4 = fma(x6, right2, sum4);
    sum5 = fma(x7, right2, sum5);
    sum6 = fma(x8, right2, sum6);
    sum7 = fma(x9, right2, sum7);
  }
  var biasOfQuad = vec4f();
  if (params.hasBias != 0u) { biasOfQuad = biasQuads[quad]; }
  let relu = vec4<bool>(params.activation == 1u);
  let v0 = reluIf(sum0 + biasOfQuad, relu);
  outQuads[(place.out + 0u) * quads + quad] = v0;
  let v1 = reluIf(sum1 + biasOfQuad, relu);
  outQuads[(place.out + 1u) * quads + quad] = v1;
  let v2 = reluIf(sum2 + biasOfQuad, relu);
  outQuads[(place.out + 2u) * quads + quad] = v2;
  let v3 = reluIf(sum3 + biasOfQuad, relu);
  outQuads[(place.out + 3u) * quads + quad] = v3;
  let v4 = reluIf(sum4 + biasOfQuad, relu);
  outQuads[(place.out + 4u) * quads + quad] = v4;
  let v5 = reluIf(sum5 + biasOfQuad, relu);
  outQuads[(place.out + 5u) * quads + quad] = v5;
  let v6 = reluIf(sum6 + biasOfQuad, relu);
  outQuads[(place.out + 6u) * quads + quad] = v6;
  let v7 = reluIf(sum7 + biasOfQuad, relu);
  outQuads[(place.out + 7u) * quads + quad] = v7;
  let sums = array<vec4f, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
  let odd = params.activation > 1u || hasNan(v0) || hasNan(v1) || hasNan(v2) || hasNan(v3) || hasNan(v4) || hasNan(v5) || hasNan(v6) || hasNan(v7);
  for (var p = select(8u, 0u, odd); p < 8u; p++) {
    finishQuad(placeOf(first + p, phase), phase, quad, sums[p], biasOfQuad);
  }
}

// Any strides and dilation, at any places of one phase.
@compute @workgroup_size(LANES)
fn depthwiseAny(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let item = min(number * LANES + lane, params.items - 1u);
  let quads = params.channels / 4u;
  let piece = item / quads;
  let quad = item - piece * quads;
  let phaseNumber = piece / params.tiles;
  let phases = params.phases;
  let phase = vec3u(phaseNumber / (phases.y * phases.z), phaseNumber / phases.z % phases.y, phaseNumber % phases.z);
  let first = (piece - phaseNumber * params.tiles) * 4u;
  let place0 = placeOf(first + 0u, phase);
  let place1 = placeOf(first + 1u, phase);
  let place2 = placeOf(first + 2u, phase);
  let place3 = placeOf(first + 3u, phase);
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
      for (var tx = 0u; tx < params.kernel.z; tx++) {
        let reachX = reachOf(2u, phase, tx);
        if (!reachX.meets) { continue; }
        let by = vec3i(reachZ.by, reachY.by, reachX.by * i32(params.pixel));
        let shift = u32((by.x * i32(params.source.y) + by.y) * i32(params.source.z) + by.z);
        let right = wQuads[((tz * params.kernel.y + ty) * params.kernel.z + tx) * quads + quad];
        let valid0 = all(vec3u(place0.at + by) < params.source);
        sum0 = fma(select(vec4f(), xQuads[(place0.origin + shift) / 4u + quad], valid0), right, sum0);
        let valid1 = all(vec3u(place1.at + by) < params.source);
        sum1 = fma(select(vec4f(), xQuads[(place1.origin + shift) / 4u + quad], valid1), right, sum1);
        let valid2 = all(vec3u(place2.at + by) < params.source);
        sum2 = fma(select(vec4f(), xQuads[(place2.origin + shift) / 4u + quad], valid2), right, sum2);
        let valid3 = all(vec3u(place3.at + by) < params.source);
        sum3 = fma(select(vec4f(), xQuads[(place3.origin + shift) / 4u + quad], valid3), right, sum3);
      }
    }
  }
  var biasOfQuad = vec4f();
  if (params.hasBias != 0u) { biasOfQuad = biasQuads[quad]; }
  let relu = vec4<bool>(params.activation == 1u);
  let v0 = reluIf(sum0 + biasOfQuad, relu);
  if (place0.inside) { outQuads[place0.out * quads + quad] = v0; }
  let v1 = reluIf(sum1 + biasOfQuad, relu);
  if (place1.inside) { outQuads[place1.out * quads + quad] = v1; }
  let v2 = reluIf(sum2 + biasOfQuad, relu);
  if (place2.inside) { outQuads[place2.out * quads + quad] = v2; }
  let v3 = reluIf(sum3 + biasOfQuad, relu);
  if (place3.inside) { outQuads[place3.out * quads + quad] = v3; }
  let sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  let odd = params.activation > 1u || hasNan(v0) || hasNan(v1) || hasNan(v2) || hasNan(v3);
  for (var p = select(4u, 0u, odd); p < 4u; p++) {
    finishQuad(placeOf(first + p, phase), phase, quad, sums[p], biasOfQuad);
  }
}
