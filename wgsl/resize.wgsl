// Separable resampling of one to three spatial axes: average pooling, nearest and linear interpolation, and the transposes.
//
//   result[n, p, c] = Σ_t Π_axis weight_axis(p, t) · source[n, t, c]
//
//   MEAN     weight 1 / |window of the output|, for the elements in the window        (regular or adaptive windows)
//   NEAREST  weight 1 for the input element whose cell holds the centre of the output's cell
//   LINEAR   weight 1 − |position of the output's centre among the inputs' centres − input|, where that is positive
//
// The same sum with p and t in exchanged roles is the transpose (TRANSPOSED), which is the gradient. source and result are
// (N, …spatial, C), the result's spatial extents are `place.x`; fewer than three axes are extents of 1 in front, which RANK
// folds away. Which t matter to p is, along each axis, a stretch: from ⌊max(0, p·scale + low) / divisor⌋ to before
// min(⌊(p·scale + high) / divisor⌋, extent), all exact in integers. Windows are cut at the image's edge, so padding counts
// for nothing. The result is written with `=`; an invocation owns four channels of one place where C is a multiple of four
// (resample4), else one channel (resample1). Sums are nested: runs of 32 along the width, then width,
// height, depth.

override RANK: u32 = 3u;
// 0: mean, 1: nearest, 2: linear
override KIND: u32 = 0u;
override TRANSPOSED: bool = false;
// Windows of a regular pooling start at whole elements, so the stretch needs no division.
override DIVIDES: bool = true;
// All windows of a mean have the same number of elements, and a factor of the whole sum replaces the weights.
override EVEN: bool = false;
// Nothing has more than one tap along an axis.
override SINGLE: bool = false;

// `line` is scale, low, high and extent of the stretches from ⌊max(0, i·scale + low) / divisor⌋ to before
// min(⌊(i·scale + high) / divisor⌋, extent); `divide` the divider by twice the divisor, and how far neighbours of `source` lie
// apart. low and high are two's complement.
struct Stretches {
  line: vec4u,
  divide: vec4u,
}

// `place`: the result's extent, a divider by it, and for the depth the elements (or groups) of an image of `source`, for the
// width the factor of all sums (EVEN). `weights`: for a transposed mean the windows of outputs; for a linear map, what tells
// an output's position (see linearWeight).
struct Axis {
  place: vec4u,
  taps: Stretches,
  weights: Stretches,
}

struct Params {
  count: u32,              // invocations
  channels: u32,           // or groups of four of them
  channelsMultiplier: u32,
  channelsShift: u32,
  axes: array<Axis, 3>,    // depth, height, width
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> source4: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<storage, read_write> result4: array<vec4f>;

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

// ⌊n / d⌋ for n < 2³⁰ and d ≥ 1; multiplier and shift are those of 2d.
fn quotient(n: u32, multiplier: u32, shift: u32) -> u32 {
  return mulHigh(n + n, multiplier) >> shift;
}

// Where an invocation works: its channel (or group of four), its place on the spatial axes, and its image.
struct Place {
  channel: u32,
  at: vec3u,
  image: u32,
}

fn spatialPlace(index: u32) -> Place {
  var rest = quotient(index, params.channelsMultiplier, params.channelsShift);
  let channel = index - rest * params.channels;
  var at = vec3u(0u);
  let width = params.axes[2].place;
  var outer = quotient(rest, width.y, width.z);
  at.z = rest - outer * width.x;
  rest = outer;
  if (RANK > 1u) {
    let height = params.axes[1].place;
    outer = quotient(rest, height.y, height.z);
    at.y = rest - outer * height.x;
    rest = outer;
  }
  if (RANK > 2u) {
    let depth = params.axes[0].place;
    outer = quotient(rest, depth.y, depth.z);
    at.x = rest - outer * depth.x;
    rest = outer;
  }
  return Place(channel, at, rest);
}

// The first index of the stretch of i, and the one behind its last.
fn stretchAt(i: u32, stretches: Stretches) -> vec2u {
  let first = i * stretches.line.x;
  let low = u32(max(i32(first + stretches.line.y), 0));
  let high = u32(max(i32(first + stretches.line.z), 0));
  if (!DIVIDES) { return vec2u(low, min(high, stretches.line.w)); }
  let divide = stretches.divide;
  return vec2u(quotient(low, divide.x, divide.y), min(quotient(high, divide.x, divide.y), stretches.line.w));
}

// The number of elements in the window of an output.
fn windowSize(o: u32, windows: Stretches) -> u32 {
  let first = o * windows.line.x;
  let low = quotient(u32(max(i32(first + windows.line.y), 0)), windows.divide.x, windows.divide.y);
  let high = quotient(u32(max(i32(first + windows.line.z), 0)), windows.divide.x, windows.divide.y);
  return min(high, windows.line.w) - low;
}

// Output o stands among the inputs at position(o) / unit: line holds scale and low of position(o) = o·scale + low, then its
// largest value, and the unit. The weight of input i falls from 1 at i to 0 at its neighbours.
fn linearWeight(o: u32, i: u32, line: vec4u) -> f32 {
  let position = clamp(i32(o * line.x + line.y), 0, i32(line.z));
  let unit = i32(line.w);
  return f32(unit - abs(position - i32(i) * unit)) / f32(unit);
}

// What t weighs at p, along one axis.
fn weightOf(p: u32, t: u32, weights: Stretches) -> f32 {
  if (KIND == 2u) {
    if (TRANSPOSED) { return linearWeight(t, p, weights.line); }
    return linearWeight(p, t, weights.line);
  }
  if (KIND == 0u && TRANSPOSED && !EVEN) { return 1.0 / f32(windowSize(t, weights)); }
  return 1.0;
}

// The factor of the whole sum: a mean's divisor is the same for all its elements.
fn scaleOf(size: vec3u) -> f32 {
  if (KIND != 0u) { return 1.0; }
  if (EVEN) { return bitcast<f32>(params.axes[2].place.w); }
  if (!TRANSPOSED) { return 1.0 / f32(size.x * size.y * size.z); }
  return 1.0;
}

// Where an invocation's taps are along the three axes, what is to be known of their weights, and where they lie.
struct Work {
  place: Place,
  depth: vec2u,
  height: vec2u,
  width: vec2u,
  step: vec3u,
  origin: u32,
}

fn workOf(index: u32) -> Work {
  let place = spatialPlace(index);
  var depth = vec2u(0u, 1u);
  if (RANK > 2u) { depth = stretchAt(place.at.x, params.axes[0].taps); }
  var height = vec2u(0u, 1u);
  if (RANK > 1u) { height = stretchAt(place.at.y, params.axes[1].taps); }
  let width = stretchAt(place.at.z, params.axes[2].taps);
  let step = vec3u(params.axes[0].taps.divide.z, params.axes[1].taps.divide.z, params.axes[2].taps.divide.z);
  return Work(place, depth, height, width, step, place.image * params.axes[0].place.w + place.channel);
}

// What the only tap weighs, and where it lies; a weight of 0 says that there is none.
struct Single {
  weight: f32,
  address: u32,
}

fn singleOf(work: Work) -> Single {
  if (work.depth.x >= work.depth.y || work.height.x >= work.height.y || work.width.x >= work.width.y) {
    return Single(0.0, 0u);
  }
  var weight = weightOf(work.place.at.z, work.width.x, params.axes[2].weights) * scaleOf(vec3u(1u));
  if (RANK > 1u) { weight *= weightOf(work.place.at.y, work.height.x, params.axes[1].weights); }
  if (RANK > 2u) { weight *= weightOf(work.place.at.x, work.depth.x, params.axes[0].weights); }
  return Single(weight, work.origin + work.depth.x * work.step.x + work.height.x * work.step.y + work.width.x * work.step.z);
}

fn rowSum4(line: u32, work: Work) -> vec4f {
  let weights = params.axes[2].weights;
  var address = line + work.width.x * work.step.z;
  var sum = vec4f(0.0);
  var run = vec4f(0.0);
  for (var w = work.width.x; w < work.width.y; w++) {
    run += weightOf(work.place.at.z, w, weights) * source4[address];
    address += work.step.z;
    let full = (w & 31u) == 31u;
    sum += select(vec4f(0.0), run, full);
    run = select(run, vec4f(0.0), full);
  }
  return sum + run;
}

fn planeSum4(plane: u32, work: Work) -> vec4f {
  if (RANK == 1u) { return rowSum4(plane, work); }
  let weights = params.axes[1].weights;
  var sum = vec4f(0.0);
  for (var h = work.height.x; h < work.height.y; h++) {
    sum += weightOf(work.place.at.y, h, weights) * rowSum4(plane + h * work.step.y, work);
  }
  return sum;
}

@compute @workgroup_size(64)
fn resample4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let work = workOf(index);
  if (SINGLE) {
    let single = singleOf(work);
    result4[index] = select(vec4f(0.0), single.weight * source4[single.address], single.weight > 0.0);
    return;
  }
  var sum = vec4f(0.0);
  if (RANK < 3u) {
    sum = planeSum4(work.origin, work);
  } else {
    let weights = params.axes[0].weights;
    for (var d = work.depth.x; d < work.depth.y; d++) {
      sum += weightOf(work.place.at.x, d, weights) * planeSum4(work.origin + d * work.step.x, work);
    }
  }
  let size = vec3u(work.depth.y - work.depth.x, work.height.y - work.height.x, work.width.y - work.width.x);
  result4[index] = sum * scaleOf(size);
}

fn rowSum(line: u32, work: Work) -> f32 {
  let weights = params.axes[2].weights;
  var address = line + work.width.x * work.step.z;
  var sum = 0.0;
  var run = 0.0;
  for (var w = work.width.x; w < work.width.y; w++) {
    run += weightOf(work.place.at.z, w, weights) * source[address];
    address += work.step.z;
    let full = (w & 31u) == 31u;
    sum += select(0.0, run, full);
    run = select(run, 0.0, full);
  }
  return sum + run;
}

fn planeSum(plane: u32, work: Work) -> f32 {
  if (RANK == 1u) { return rowSum(plane, work); }
  let weights = params.axes[1].weights;
  var sum = 0.0;
  for (var h = work.height.x; h < work.height.y; h++) {
    sum += weightOf(work.place.at.y, h, weights) * rowSum(plane + h * work.step.y, work);
  }
  return sum;
}

@compute @workgroup_size(64)
fn resample1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let work = workOf(index);
  if (SINGLE) {
    let single = singleOf(work);
    result[index] = select(0.0, single.weight * source[single.address], single.weight > 0.0);
    return;
  }
  var sum = 0.0;
  if (RANK < 3u) {
    sum = planeSum(work.origin, work);
  } else {
    let weights = params.axes[0].weights;
    for (var d = work.depth.x; d < work.depth.y; d++) {
      sum += weightOf(work.place.at.x, d, weights) * planeSum(work.origin + d * work.step.x, work);
    }
  }
  let size = vec3u(work.depth.y - work.depth.x, work.height.y - work.height.x, work.width.y - work.width.x);
  result[index] = sum * scaleOf(size);
}
