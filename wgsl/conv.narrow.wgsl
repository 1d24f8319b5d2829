// Written by scripts/conv-siblings.ts; change it there.
//
// Convolution and its input gradient where the result has few channels: the sibling of conv.wgsl, where the formula stands.
//
//   binding 1   x     (batch, ...source, sourceChannels)   read    zero beyond its edges
//   binding 2   w     element (tap, k, f in group g) at tap * wTap + k * wDepth + f * wChannel + g * wGroup    read
//   binding 3   bias  (channels,), or anything when hasBias is 0    read
//   binding 4   out   (batch, ...out, channels)    write
//
// For results of few channels, one group, and windows that move by one. Invocation i owns 8 neighbouring places of a line in all
// channels, and writes them with `=`. In each turn it loads the elements that a stretch of neighbouring taps meets, for one
// channel of x, and each of them serves as many taps. `pack` of conv.narrow.wgsl brings the filter into the order of these turns
// beforehand and fills it up with zeros, and where there are less channels than an entry point owns, with the last one again.
//
//   binding 5   packed   what `pack` wrote    read
//   for `pack`: binding 1   filters   like w    read;    binding 2   packing   (blocks, VECTORS, 4)   write

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

@group(0) @binding(5) var<storage, read> packed: array<vec4f>;

// Vector `number` of the packed filter.
fn filterVector(number: u32) -> vec4f {
  return packed[number];
}

fn hasNan(v: vec4f) -> bool {
  return any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn reluIf(v: vec4f, relu: vec4<bool>) -> vec4f {
  return select(v, vec4f(), (v < vec4f()) & relu);
}

// What the stores of all channels need.
struct Way {
  first: u32, // address of the first place's first channel
  channels: u32,
  hasBias: u32,
  relu: vec4<bool>,
}

fn wayOut(place: Place) -> Way {
  let channels = params.channels;
  return Way(place.out * channels, channels, params.hasBias, vec4<bool>(params.activation == 1u));
}

// Adds the bias, applies relu, and stores the 8 places of a channel, or of the last one; tells whether one of them is NaN.
fn storeEight(way: Way, wanted: u32, low: vec4f, high: vec4f) -> bool {
  let channel = min(wanted, way.channels - 1u);
  let biasOf = vec4f(select(0.0, bias[channel * way.hasBias], way.hasBias != 0u));
  let v = reluIf(low + biasOf, way.relu);
  let u = reluIf(high + biasOf, way.relu);
  let at = way.first + channel;
  out[at + 0u * way.channels] = v.x;
  out[at + 1u * way.channels] = v.y;
  out[at + 2u * way.channels] = v.z;
  out[at + 3u * way.channels] = v.w;
  out[at + 4u * way.channels] = u.x;
  out[at + 5u * way.channels] = u.y;
  out[at + 6u * way.channels] = u.z;
  out[at + 7u * way.channels] = u.w;
  return hasNan(v) || hasNan(u);
}

// Stores the sum of one place and channel that takes more than relu.
fn finishNarrow(place: Place, along: u32, wanted: u32, sum: f32) {
  let channel = min(wanted, params.channels - 1u);
  let step = along * params.pixel;
  let own = Place(place.at + vec3i(0, 0, i32(step)), place.origin + step, place.out + along, true);
  finishPlace(own, vec3u(), 0u, channel * params.wChannel, true, channel, sum);
}

// The first place of a piece. The last piece of a line ends where the line does, so two pieces may write one place, both the
// same; so do pieces that are not there.
fn firstPlace(item: u32) -> u32 {
  let piece = min(item, params.items - 1u);
  let line = piece / params.pieces;
  return line * params.grid.z + min((piece - line * params.pieces) * 8u, params.grid.z - 8u);
}

// What every turn of the loop needs of the uniforms.
struct Walk {
  blocks: u32,
  turns: vec4u, // along each axis of the kernel, and channels of x
  source: vec3u,
  pixel: u32,
  offset: vec2i,
  tapStep: vec2i,
  ahead: i32, // elements from a place to the first one that its taps meet
  stretch: u32, // elements from one stretch of taps to the next
}

fn windowWalk(taps: u32) -> Walk {
  let pixel = params.pixel;
  let kernel = params.kernel;
  let ahead = (params.offset.z + min(0, (i32(kernel.z) - 1) * params.tapStep.z)) * i32(pixel);
  return Walk(
    params.blocks,
    vec4u(kernel.x, kernel.y, params.tapTurns, params.depth),
    params.source,
    pixel,
    params.offset.xy,
    params.tapStep.xy,
    ahead,
    taps * pixel,
  );
}

// Where a turn begins in x, and the same element counted along its line. A turn takes a stretch of taps along the last axis,
// for one channel of x.
struct Stretch {
  at: u32,
  inLine: u32,
}

fn stretchOf(walk: Walk, place: Place, turn: vec4u) -> Stretch {
  let along = walk.ahead + i32(turn.z * walk.stretch + turn.w);
  let z = walk.offset.x + i32(turn.x) * walk.tapStep.x;
  let y = walk.offset.y + i32(turn.y) * walk.tapStep.y;
  let valid = u32(place.at.x + z) < walk.source.x && u32(place.at.y + y) < walk.source.y;
  let shift = (z * i32(walk.source.y) + y) * i32(walk.source.z) + along;
  return Stretch(place.origin + u32(shift), select(NOWHERE, u32(place.at.z + along), valid));
}

// What a turn's taps meet: places 0 to 3, 4 to 7, and beyond.
struct Window {
  low: vec4f,
  middle: vec4f,
  high: vec4f,
}

fn window3(walk: Walk, place: Place, turn: vec4u) -> Window {
  let stretch = stretchOf(walk, place, turn);
  let at = stretch.at;
  let inLine = stretch.inLine;
  return Window(
    vec4f(
      select(0.0, x[at], inLine < walk.source.z),
      select(0.0, x[at + 1u * walk.pixel], inLine + 1u * walk.pixel < walk.source.z),
      select(0.0, x[at + 2u * walk.pixel], inLine + 2u * walk.pixel < walk.source.z),
      select(0.0, x[at + 3u * walk.pixel], inLine + 3u * walk.pixel < walk.source.z),
    ),
    vec4f(
      select(0.0, x[at + 4u * walk.pixel], inLine + 4u * walk.pixel < walk.source.z),
      select(0.0, x[at + 5u * walk.pixel], inLine + 5u * walk.pixel < walk.source.z),
      select(0.0, x[at + 6u * walk.pixel], inLine + 6u * walk.pixel < walk.source.z),
      select(0.0, x[at + 7u * walk.pixel], inLine + 7u * walk.pixel < walk.source.z),
    ),
    vec4f(
      select(0.0, x[at + 8u * walk.pixel], inLine + 8u * walk.pixel < walk.source.z),
      select(0.0, x[at + 9u * walk.pixel], inLine + 9u * walk.pixel < walk.source.z),
      0.0,
      0.0,
    ),
  );
}

fn window5(walk: Walk, place: Place, turn: vec4u) -> Window {
  let stretch = stretchOf(walk, place, turn);
  let at = stretch.at;
  let inLine = stretch.inLine;
  return Window(
    vec4f(
      select(0.0, x[at], inLine < walk.source.z),
      select(0.0, x[at + 1u * walk.pixel], inLine + 1u * walk.pixel < walk.source.z),
      select(0.0, x[at + 2u * walk.pixel], inLine + 2u * walk.pixel < walk.source.z),
      select(0.0, x[at + 3u * walk.pixel], inLine + 3u * walk.pixel < walk.source.z),
    ),
    vec4f(
      select(0.0, x[at + 4u * walk.pixel], inLine + 4u * walk.pixel < walk.source.z),
      select(0.0, x[at + 5u * walk.pixel], inLine + 5u * walk.pixel < walk.source.z),
      select(0.0, x[at + 6u * walk.pixel], inLine + 6u * walk.pixel < walk.source.z),
      select(0.0, x[at + 7u * walk.pixel], inLine + 7u * walk.pixel < walk.source.z),
    ),
    vec4f(
      select(0.0, x[at + 8u * walk.pixel], inLine + 8u * walk.pixel < walk.source.z),
      select(0.0, x[at + 9u * walk.pixel], inLine + 9u * walk.pixel < walk.source.z),
      select(0.0, x[at + 10u * walk.pixel], inLine + 10u * walk.pixel < walk.source.z),
      select(0.0, x[at + 11u * walk.pixel], inLine + 11u * walk.pixel < walk.source.z),
    ),
  );
}

// What four neighbouring places meet under each of so many taps, a column for each tap.
fn slide3(a: vec4f, b: vec4f) -> mat3x4f {
  return mat3x4f(vec4f(a.xyzw), vec4f(a.yzw, b.x), vec4f(a.zw, b.xy));
}

fn slide4(a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(vec4f(a.xyzw), vec4f(a.yzw, b.x), vec4f(a.zw, b.xy), vec4f(a.w, b.xyz));
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

// Element i of the packed filter is number i % (4 * VECTORS) of a turn: for each of OWN channels up to four taps, then for each
// the fifth.
override OWN: u32 = 1u;
override TAPS: u32 = 1u;
override VECTORS: u32 = 1u;

@group(0) @binding(1) var<storage, read> filters: array<f32>;
@group(0) @binding(2) var<storage, read_write> packing: array<f32>;

@compute @workgroup_size(64)
fn pack(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (id.x + id.y * count.x) * 64u + lane;
  if (i >= params.blocks * VECTORS * 4u) { return; }
  let block = i / (VECTORS * 4u);
  let number = i % (VECTORS * 4u);
  let columns = min(TAPS, 4u);
  let fifth = number >= OWN * columns;
  let tapOfTurn = select(number % columns, 4u, fifth);
  let own = select(number / columns, number - OWN * columns, fifth);
  let stretch = block / params.depth;
  let line = stretch / params.tapTurns;
  let column = stretch % params.tapTurns * TAPS + tapOfTurn;
  let inside = number < OWN * TAPS && column < params.kernel.z;
  let tap = line * params.kernel.z + select(column, params.kernel.z - 1u - column, params.tapStep.z < 0);
  let channel = min(own, params.channels - 1u);
  let at = tap * params.wTap + block % params.depth * params.wDepth + channel * params.wChannel;
  packing[i] = select(0.0, filters[at], inside);
}

@compute @workgroup_size(LANES)
fn narrow1x3(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(3u);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window3(walk, place, turn);
    let slide0 = slide3(window.low, window.middle);
    let slide1 = slide3(window.middle, window.high);
    let w0 = filterVector(block * 1u + 0u);
    sum0_0 += slide0 * vec3f(w0.x, w0.y, w0.z);
    sum0_1 += slide1 * vec3f(w0.x, w0.y, w0.z);
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  var sums = array<vec4f, 2>(sum0_0, sum0_1);
  for (var i = select(8u, 0u, odd); i < 8u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow1x5(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(5u);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window5(walk, place, turn);
    let slide0 = slide4(window.low, window.middle);
    let slide1 = slide4(window.middle, window.high);
    let w0 = filterVector(block * 2u + 0u);
    let w1 = filterVector(block * 2u + 1u);
    sum0_0 += slide0 * w0 + window.middle * w1.x;
    sum0_1 += slide1 * w0 + window.high * w1.x;
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  var sums = array<vec4f, 2>(sum0_0, sum0_1);
  for (var i = select(8u, 0u, odd); i < 8u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow2x3(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(3u);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window3(walk, place, turn);
    let slide0 = slide3(window.low, window.middle);
    let slide1 = slide3(window.middle, window.high);
    let w0 = filterVector(block * 2u + 0u);
    let w1 = filterVector(block * 2u + 1u);
    sum0_0 += slide0 * vec3f(w0.x, w0.y, w0.z);
    sum0_1 += slide1 * vec3f(w0.x, w0.y, w0.z);
    sum1_0 += slide0 * vec3f(w0.w, w1.x, w1.y);
    sum1_1 += slide1 * vec3f(w0.w, w1.x, w1.y);
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  var sums = array<vec4f, 4>(sum0_0, sum0_1, sum1_0, sum1_1);
  for (var i = select(16u, 0u, odd); i < 16u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow2x5(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(5u);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window5(walk, place, turn);
    let slide0 = slide4(window.low, window.middle);
    let slide1 = slide4(window.middle, window.high);
    let w0 = filterVector(block * 3u + 0u);
    let w1 = filterVector(block * 3u + 1u);
    let w2 = filterVector(block * 3u + 2u);
    sum0_0 += slide0 * w0 + window.middle * w2.x;
    sum0_1 += slide1 * w0 + window.high * w2.x;
    sum1_0 += slide0 * w1 + window.middle * w2.y;
    sum1_1 += slide1 * w1 + window.high * w2.y;
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  var sums = array<vec4f, 4>(sum0_0, sum0_1, sum1_0, sum1_1);
  for (var i = select(16u, 0u, odd); i < 16u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow4x3(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(3u);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var sum2_0 = vec4f();
  var sum2_1 = vec4f();
  var sum3_0 = vec4f();
  var sum3_1 = vec4f();
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window3(walk, place, turn);
    let slide0 = slide3(window.low, window.middle);
    let slide1 = slide3(window.middle, window.high);
    let w0 = filterVector(block * 3u + 0u);
    let w1 = filterVector(block * 3u + 1u);
    let w2 = filterVector(block * 3u + 2u);
    sum0_0 += slide0 * vec3f(w0.x, w0.y, w0.z);
    sum0_1 += slide1 * vec3f(w0.x, w0.y, w0.z);
    sum1_0 += slide0 * vec3f(w0.w, w1.x, w1.y);
    sum1_1 += slide1 * vec3f(w0.w, w1.x, w1.y);
    sum2_0 += slide0 * vec3f(w1.z, w1.w, w2.x);
    sum2_1 += slide1 * vec3f(w1.z, w1.w, w2.x);
    sum3_0 += slide0 * vec3f(w2.y, w2.z, w2.w);
    sum3_1 += slide1 * vec3f(w2.y, w2.z, w2.w);
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  odd |= storeEight(way, 2u, sum2_0, sum2_1);
  odd |= storeEight(way, 3u, sum3_0, sum3_1);
  var sums = array<vec4f, 8>(sum0_0, sum0_1, sum1_0, sum1_1, sum2_0, sum2_1, sum3_0, sum3_1);
  for (var i = select(32u, 0u, odd); i < 32u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow4x5(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(5u);
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var sum2_0 = vec4f();
  var sum2_1 = vec4f();
  var sum3_0 = vec4f();
  var sum3_1 = vec4f();
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window5(walk, place, turn);
    let slide0 = slide4(window.low, window.middle);
    let slide1 = slide4(window.middle, window.high);
    let w0 = filterVector(block * 5u + 0u);
    let w1 = filterVector(block * 5u + 1u);
    let w2 = filterVector(block * 5u + 2u);
    let w3 = filterVector(block * 5u + 3u);
    let w4 = filterVector(block * 5u + 4u);
    sum0_0 += slide0 * w0 + window.middle * w4.x;
    sum0_1 += slide1 * w0 + window.high * w4.x;
    sum1_0 += slide0 * w1 + window.middle * w4.y;
    sum1_1 += slide1 * w1 + window.high * w4.y;
    sum2_0 += slide0 * w2 + window.middle * w4.z;
    sum2_1 += slide1 * w2 + window.high * w4.z;
    sum3_0 += slide0 * w3 + window.middle * w4.w;
    sum3_1 += slide1 * w3 + window.high * w4.w;
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  odd |= storeEight(way, 2u, sum2_0, sum2_1);
  odd |= storeEight(way, 3u, sum3_0, sum3_1);
  var sums = array<vec4f, 8>(sum0_0, sum0_1, sum1_0, sum1_1, sum2_0, sum2_1, sum3_0, sum3_1);
  for (var i = select(32u, 0u, odd); i < 32u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow6x3(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(3u);
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
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window3(walk, place, turn);
    let slide0 = slide3(window.low, window.middle);
    let slide1 = slide3(window.middle, window.high);
    let w0 = filterVector(block * 5u + 0u);
    let w1 = filterVector(block * 5u + 1u);
    let w2 = filterVector(block * 5u + 2u);
    let w3 = filterVector(block * 5u + 3u);
    let w4 = filterVector(block * 5u + 4u);
    sum0_0 += slide0 * vec3f(w0.x, w0.y, w0.z);
    sum0_1 += slide1 * vec3f(w0.x, w0.y, w0.z);
    sum1_0 += slide0 * vec3f(w0.w, w1.x, w1.y);
    sum1_1 += slide1 * vec3f(w0.w, w1.x, w1.y);
    sum2_0 += slide0 * vec3f(w1.z, w1.w, w2.x);
    sum2_1 += slide1 * vec3f(w1.z, w1.w, w2.x);
    sum3_0 += slide0 * vec3f(w2.y, w2.z, w2.w);
    sum3_1 += slide1 * vec3f(w2.y, w2.z, w2.w);
    sum4_0 += slide0 * vec3f(w3.x, w3.y, w3.z);
    sum4_1 += slide1 * vec3f(w3.x, w3.y, w3.z);
    sum5_0 += slide0 * vec3f(w3.w, w4.x, w4.y);
    sum5_1 += slide1 * vec3f(w3.w, w4.x, w4.y);
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  odd |= storeEight(way, 2u, sum2_0, sum2_1);
  odd |= storeEight(way, 3u, sum3_0, sum3_1);
  odd |= storeEight(way, 4u, sum4_0, sum4_1);
  odd |= storeEight(way, 5u, sum5_0, sum5_1);
  var sums = array<vec4f, 12>(sum0_0, sum0_1, sum1_0, sum1_1, sum2_0, sum2_1, sum3_0, sum3_1, sum4_0, sum4_1, sum5_0, sum5_1);
  for (var i = select(48u, 0u, odd); i < 48u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow6x5(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(5u);
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
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window5(walk, place, turn);
    let slide0 = slide4(window.low, window.middle);
    let slide1 = slide4(window.middle, window.high);
    let w0 = filterVector(block * 8u + 0u);
    let w1 = filterVector(block * 8u + 1u);
    let w2 = filterVector(block * 8u + 2u);
    let w3 = filterVector(block * 8u + 3u);
    let w4 = filterVector(block * 8u + 4u);
    let w5 = filterVector(block * 8u + 5u);
    let w6 = filterVector(block * 8u + 6u);
    let w7 = filterVector(block * 8u + 7u);
    sum0_0 += slide0 * w0 + window.middle * w6.x;
    sum0_1 += slide1 * w0 + window.high * w6.x;
    sum1_0 += slide0 * w1 + window.middle * w6.y;
    sum1_1 += slide1 * w1 + window.high * w6.y;
    sum2_0 += slide0 * w2 + window.middle * w6.z;
    sum2_1 += slide1 * w2 + window.high * w6.z;
    sum3_0 += slide0 * w3 + window.middle * w6.w;
    sum3_1 += slide1 * w3 + window.high * w6.w;
    sum4_0 += slide0 * w4 + window.middle * w7.x;
    sum4_1 += slide1 * w4 + window.high * w7.x;
    sum5_0 += slide0 * w5 + window.middle * w7.y;
    sum5_1 += slide1 * w5 + window.high * w7.y;
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  odd |= storeEight(way, 2u, sum2_0, sum2_1);
  odd |= storeEight(way, 3u, sum3_0, sum3_1);
  odd |= storeEight(way, 4u, sum4_0, sum4_1);
  odd |= storeEight(way, 5u, sum5_0, sum5_1);
  var sums = array<vec4f, 12>(sum0_0, sum0_1, sum1_0, sum1_1, sum2_0, sum2_1, sum3_0, sum3_1, sum4_0, sum4_1, sum5_0, sum5_1);
  for (var i = select(48u, 0u, odd); i < 48u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow8x3(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(3u);
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
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window3(walk, place, turn);
    let slide0 = slide3(window.low, window.middle);
    let slide1 = slide3(window.middle, window.high);
    let w0 = filterVector(block * 6u + 0u);
    let w1 = filterVector(block * 6u + 1u);
    let w2 = filterVector(block * 6u + 2u);
    let w3 = filterVector(block * 6u + 3u);
    let w4 = filterVector(block * 6u + 4u);
    let w5 = filterVector(block * 6u + 5u);
    sum0_0 += slide0 * vec3f(w0.x, w0.y, w0.z);
    sum0_1 += slide1 * vec3f(w0.x, w0.y, w0.z);
    sum1_0 += slide0 * vec3f(w0.w, w1.x, w1.y);
    sum1_1 += slide1 * vec3f(w0.w, w1.x, w1.y);
    sum2_0 += slide0 * vec3f(w1.z, w1.w, w2.x);
    sum2_1 += slide1 * vec3f(w1.z, w1.w, w2.x);
    sum3_0 += slide0 * vec3f(w2.y, w2.z, w2.w);
    sum3_1 += slide1 * vec3f(w2.y, w2.z, w2.w);
    sum4_0 += slide0 * vec3f(w3.x, w3.y, w3.z);
    sum4_1 += slide1 * vec3f(w3.x, w3.y, w3.z);
    sum5_0 += slide0 * vec3f(w3.w, w4.x, w4.y);
    sum5_1 += slide1 * vec3f(w3.w, w4.x, w4.y);
    sum6_0 += slide0 * vec3f(w4.z, w4.w, w5.x);
    sum6_1 += slide1 * vec3f(w4.z, w4.w, w5.x);
    sum7_0 += slide0 * vec3f(w5.y, w5.z, w5.w);
    sum7_1 += slide1 * vec3f(w5.y, w5.z, w5.w);
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  odd |= storeEight(way, 2u, sum2_0, sum2_1);
  odd |= storeEight(way, 3u, sum3_0, sum3_1);
  odd |= storeEight(way, 4u, sum4_0, sum4_1);
  odd |= storeEight(way, 5u, sum5_0, sum5_1);
  odd |= storeEight(way, 6u, sum6_0, sum6_1);
  odd |= storeEight(way, 7u, sum7_0, sum7_1);
  var sums = array<vec4f, 16>(sum0_0, sum0_1, sum1_0, sum1_1, sum2_0, sum2_1, sum3_0, sum3_1, sum4_0, sum4_1, sum5_0, sum5_1, sum6_0, sum6_1, sum7_0, sum7_1);
  for (var i = select(64u, 0u, odd); i < 64u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn narrow8x5(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(5u);
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
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window5(walk, place, turn);
    let slide0 = slide4(window.low, window.middle);
    let slide1 = slide4(window.middle, window.high);
    let w0 = filterVector(block * 10u + 0u);
    let w1 = filterVector(block * 10u + 1u);
    let w2 = filterVector(block * 10u + 2u);
    let w3 = filterVector(block * 10u + 3u);
    let w4 = filterVector(block * 10u + 4u);
    let w5 = filterVector(block * 10u + 5u);
    let w6 = filterVector(block * 10u + 6u);
    let w7 = filterVector(block * 10u + 7u);
    let w8 = filterVector(block * 10u + 8u);
    let w9 = filterVector(block * 10u + 9u);
    sum0_0 += slide0 * w0 + window.middle * w8.x;
    sum0_1 += slide1 * w0 + window.high * w8.x;
    sum1_0 += slide0 * w1 + window.middle * w8.y;
    sum1_1 += slide1 * w1 + window.high * w8.y;
    sum2_0 += slide0 * w2 + window.middle * w8.z;
    sum2_1 += slide1 * w2 + window.high * w8.z;
    sum3_0 += slide0 * w3 + window.middle * w8.w;
    sum3_1 += slide1 * w3 + window.high * w8.w;
    sum4_0 += slide0 * w4 + window.middle * w9.x;
    sum4_1 += slide1 * w4 + window.high * w9.x;
    sum5_0 += slide0 * w5 + window.middle * w9.y;
    sum5_1 += slide1 * w5 + window.high * w9.y;
    sum6_0 += slide0 * w6 + window.middle * w9.z;
    sum6_1 += slide1 * w6 + window.high * w9.z;
    sum7_0 += slide0 * w7 + window.middle * w9.w;
    sum7_1 += slide1 * w7 + window.high * w9.w;
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
  odd |= storeEight(way, 0u, sum0_0, sum0_1);
  odd |= storeEight(way, 1u, sum1_0, sum1_1);
  odd |= storeEight(way, 2u, sum2_0, sum2_1);
  odd |= storeEight(way, 3u, sum3_0, sum3_1);
  odd |= storeEight(way, 4u, sum4_0, sum4_1);
  odd |= storeEight(way, 5u, sum5_0, sum5_1);
  odd |= storeEight(way, 6u, sum6_0, sum6_1);
  odd |= storeEight(way, 7u, sum7_0, sum7_1);
  var sums = array<vec4f, 16>(sum0_0, sum0_1, sum1_0, sum1_1, sum2_0, sum2_1, sum3_0, sum3_1, sum4_0, sum4_1, sum5_0, sum5_1, sum6_0, sum6_1, sum7_0, sum7_1);
  for (var i = select(64u, 0u, odd); i < 64u; i++) {
    finishNarrow(place, i % 8u, i / 8u, sums[i / 4u][i % 4u]);
  }
}
