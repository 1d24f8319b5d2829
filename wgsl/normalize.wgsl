// Normalisation over groups of channels. A tensor is (samples, rows, channels), and its channels fall into `groups` of
// `width` neighbours; a group of a sample, rows · width elements, has a mean and a variance of its own:
//
//   y = (x - mean) / sqrt(variance + epsilon) * gamma + beta          gamma, beta  (channels,)
//
// Batch norm has one sample and a width of 1, layer norm one row and one group, instance norm a width of 1. A mean is
// kept as `anchor + offset`: the rounding of a mean of 1e4 alone would move y by 5e-4 if the deviation is 1. The anchor
// is the median of five elements of the group, so that x - anchor is no larger than it must be: an outlier as anchor
// would round away the digits of all others. Without CENTRED (root mean square) anchor and offset are 0 and the variance
// is the mean of the squares. Where the variance is not finite (the group holds a NaN or an infinity, or the squares
// overflow, |x - mean| or, not centred, |x| above some 1e19), all statistics and results of the group are NaN.
//
//   source     (samples, rows, channels)
//   gradient   (samples, rows, channels)   that of y
//   centres    (2, samples, groups)        the anchors, then the offsets; GIVEN: (groups,), the means
//   variances  (samples, groups)
//
// The steps, each of which says what it writes (always with `=`); sums are made in a fixed order:
//   momentsOfColumns, momentsOfRows, momentsOfRowsByGroup   the moments of parts
//   mergeMoments, mergeMomentsByGroup                       parts into groups
//   normalizeRows                                           y
//   sumColumns, sumRows, sumRowsByGroup                     Σ g and Σ g x̂ of parts, x̂ = (x - mean) / sqrt(variance + ε)
//   foldSums, foldSumsByGroup                               parts into groups, or into channels
//   gradientRows                                            ∂x
//   movingStatistics                                        what inference will use

override CENTRED: bool = true;
override GIVEN: bool = false;     // `centres` are means without offsets
override WHOLE: bool = false;     // a part is a group
override SCALED: bool = false;    // there is a gamma
override SHIFTED: bool = false;   // there is a beta
override SINGLE: bool = false;    // samples have one row
override SHARED: bool = false;    // four neighbouring channels always belong to one group
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,      // invocations, or workgroups, with work to do
  rows: u32,       // of a sample
  channels: u32,
  width: u32,      // channels of a group
  groups: u32,
  length: u32,     // what is cut into parts: rows, or the elements of a group
  chunk: u32,      // the length of a part, except the last one's
  parts: u32,
  quads: u32,      // channels / 4, rounded up
  inner: u32,      // mergeMoments, foldSums: neighbours that go into one result
  step: u32,       // and how far the next part lies
  inverse: f32,    // mean = sum * inverse
  epsilon: f32,
  momentum: f32,
  rest: f32,       // 1 - momentum
  statistics: u32, // samples * groups
  probe0: u32,     // five elements of a group, counted from its first one
  probe1: u32,
  probe2: u32,
  probe3: u32,
  probe4: u32,
  pad0: u32,
  pad1: u32,
  pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> centres: array<f32>;
@group(0) @binding(3) var<storage, read> variances: array<f32>;

// normalizeRows
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
@group(0) @binding(6) var<storage, read> beta: array<f32>;

// sums and gradientRows
@group(0) @binding(4) var<storage, read> gradient: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> products: array<f32>;
@group(0) @binding(7) var<storage, read> rowGamma: array<f32>;
@group(0) @binding(5) var<storage, read_write> sourceGradient: array<f32>;
@group(0) @binding(6) var<storage, read> groupSums: array<f32>;
@group(0) @binding(7) var<storage, read> groupProducts: array<f32>;
@group(0) @binding(8) var<storage, read> gradientGamma: array<f32>;

// moments
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;

// mergeMoments and foldSums
@group(0) @binding(1) var<storage, read> firsts: array<f32>;
@group(0) @binding(2) var<storage, read> seconds: array<f32>;
@group(0) @binding(3) var<storage, read_write> firstTotals: array<f32>;
@group(0) @binding(4) var<storage, read_write> secondTotals: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> elements: array<f32>; // mergeMoments: the source

// movingStatistics
@group(0) @binding(1) var<storage, read> batchCentres: array<f32>;
@group(0) @binding(2) var<storage, read> batchVariances: array<f32>;
@group(0) @binding(3) var<storage, read> movingMeans: array<f32>;
@group(0) @binding(4) var<storage, read> movingVariances: array<f32>;
@group(0) @binding(5) var<storage, read_write> nextMeans: array<f32>;
@group(0) @binding(6) var<storage, read_write> nextVariances: array<f32>;

var<workgroup> sharedCounts: array<f32, WORKGROUP>;
var<workgroup> sharedFirsts: array<f32, WORKGROUP>;
var<workgroup> sharedSeconds: array<f32, WORKGROUP>;

fn nanF32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

fn isFinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) < 0x7f800000u;
}

// Four channels of some rows. Past the last channel the last one stands in: it is then computed more than once.
struct Rows {
  channel: vec4u,
  block: u32,    // number of the part among all parts
  first: u32,    // counted through all samples
  count: u32,
}

fn rowsOf(index: u32) -> Rows {
  let block = index / params.quads;
  let quad = index - block * params.quads;
  let span = block / params.parts;
  let start = (block - span * params.parts) * params.chunk;
  return Rows(
    min(4u * quad + vec4u(0u, 1u, 2u, 3u), vec4u(params.channels - 1u)),
    block,
    span * params.length + start,
    min(params.chunk, params.length - start),
  );
}

fn sourceAt(at: vec4u) -> vec4f {
  return vec4f(source[at.x], source[at.y], source[at.z], source[at.w]);
}

fn gradientAt(at: vec4u) -> vec4f {
  return vec4f(gradient[at.x], gradient[at.y], gradient[at.z], gradient[at.w]);
}

fn medianOf(a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f) -> vec4f {
  let low = max(min(a, b), min(c, d));
  let high = min(max(a, b), max(c, d));
  return max(min(e, low), min(max(e, low), high)); // Of a to d, one is below `low` and one above `high`.
}

// The anchor of the group that begins at `first`.
fn anchorAt(first: u32) -> f32 {
  if (!CENTRED) {
    return 0.0;
  }
  return medianOf(
    vec4f(source[first + params.probe0]),
    vec4f(source[first + params.probe1]),
    vec4f(source[first + params.probe2]),
    vec4f(source[first + params.probe3]),
    vec4f(source[first + params.probe4]),
  ).x;
}

// The anchors of each channel's group.
fn anchorsOf(sample: u32, group: vec4u) -> vec4f {
  let first = sample * params.rows * params.channels + group * params.width;
  if (SHARED || !CENTRED) {
    return vec4f(anchorAt(first.x));
  }
  return medianOf(
    sourceAt(first + params.probe0),
    sourceAt(first + params.probe1),
    sourceAt(first + params.probe2),
    sourceAt(first + params.probe3),
    sourceAt(first + params.probe4),
  );
}

// What standardises: x̂ = ((x - anchor) - offset) * factor.
struct Statistics {
  anchor: vec4f,
  offset: vec4f,
  factor: vec4f,
}

fn centresAt(at: vec4u) -> vec4f {
  if (!CENTRED) {
    return vec4f(0.0);
  }
  if (SHARED) {
    return vec4f(centres[at.x]);
  }
  return vec4f(centres[at.x], centres[at.y], centres[at.z], centres[at.w]);
}

fn statisticsOf(sample: u32, group: vec4u) -> Statistics {
  let at = sample * params.groups + group;
  let anchor = centresAt(at);
  var offset = vec4f(0.0);
  if (!GIVEN) {
    offset = centresAt(params.statistics + at);
  }
  if (SHARED) {
    return Statistics(anchor, offset, vec4f(1.0 / sqrt(variances[at.x] + params.epsilon)));
  }
  let variance = vec4f(variances[at.x], variances[at.y], variances[at.z], variances[at.w]);
  return Statistics(anchor, offset, 1.0 / sqrt(variance + params.epsilon));
}

fn standardise(x: vec4f, by: Statistics) -> vec4f {
  if (CENTRED) {
    return ((x - by.anchor) - by.offset) * by.factor;
  }
  return x * by.factor;
}

// The moments of each of four columns over a part of a sample's rows, relative to the anchors: the mean to `means`, the
// sum of squared deviations, times `inverse`, to `squares` (samples, parts, channels). Eight rows at a time: their own
// mean and deviations, then the formula of Chan, Golub and LeVeque joins them to what came before.
@compute @workgroup_size(WORKGROUP)
fn momentsOfColumns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let own = rowsOf(index);
  let anchor = anchorsOf(own.first / params.rows, own.channel / params.width);
  let next = params.channels;
  var at = own.first * next + own.channel;
  var left = own.count;
  var seen = 0.0;
  var mean = vec4f(0.0);
  var square = vec4f(0.0);
  while (left >= 8u) {
    var a = sourceAt(at) - anchor;
    var b = sourceAt(at + next) - anchor;
    var c = sourceAt(at + 2u * next) - anchor;
    var d = sourceAt(at + 3u * next) - anchor;
    var e = sourceAt(at + 4u * next) - anchor;
    var f = sourceAt(at + 5u * next) - anchor;
    var g = sourceAt(at + 6u * next) - anchor;
    var h = sourceAt(at + 7u * next) - anchor;
    if (CENTRED) {
      let middle = (((a + b) + (c + d)) + ((e + f) + (g + h))) * 0.125;
      a -= middle;
      b -= middle;
      c -= middle;
      d -= middle;
      e -= middle;
      f -= middle;
      g -= middle;
      h -= middle;
      let delta = middle - mean;
      let share = 8.0 / (seen + 8.0);
      mean = fma(delta, vec4f(share), mean);
      square = fma(delta * delta, vec4f(seen * share), square);
    }
    square += ((a * a + b * b) + (c * c + d * d)) + ((e * e + f * f) + (g * g + h * h));
    seen += 8.0;
    at += 8u * next;
    left -= 8u;
  }
  while (left > 0u) {
    let delta = (sourceAt(at) - anchor) - mean;
    seen += 1.0;
    if (CENTRED) {
      mean += delta / seen;
      square = fma(delta * delta, vec4f((seen - 1.0) / seen), square);
    } else {
      square = fma(delta, delta, square);
    }
    at += next;
    left -= 1u;
  }
  let magnitude = max(bitcast<vec4u>(mean) & vec4u(0x7fffffffu), bitcast<vec4u>(square) & vec4u(0x7fffffffu));
  let broken = magnitude >= vec4u(0x7f800000u);
  mean = select(mean, vec4f(nanF32()), broken);
  square = select(square * params.inverse, vec4f(nanF32()), broken);
  var to = own.block * params.channels + own.channel;
  squares[to.x] = square.x;
  squares[to.y] = square.y;
  squares[to.z] = square.z;
  squares[to.w] = square.w;
  if (WHOLE) {
    let known = select(anchor, vec4f(nanF32()), broken);
    means[to.x] = known.x;
    means[to.y] = known.y;
    means[to.z] = known.z;
    means[to.w] = known.w;
    to += params.statistics;
  }
  means[to.x] = mean.x;
  means[to.y] = mean.y;
  means[to.z] = mean.z;
  means[to.w] = mean.w;
}

// The moments of `count` elements: their mean and the sum of their squared deviations from it.
struct Moments {
  count: f32,
  mean: f32,
  square: f32,
}

fn join(a: Moments, b: Moments) -> Moments {
  if (!CENTRED) {
    return Moments(a.count + b.count, 0.0, a.square + b.square);
  }
  let count = a.count + b.count;
  let share = select(b.count / count, 0.0, b.count == 0.0);
  let delta = b.mean - a.mean;
  return Moments(count, fma(delta, share, a.mean), (a.square + b.square) + delta * delta * (a.count * share));
}

// Elements `stride` apart, relative to the anchor; eight at a time as above.
fn momentsOf(first: u32, count: u32, stride: u32, anchor: f32) -> Moments {
  let near = vec4u(0u, 1u, 2u, 3u) * stride;
  var total = Moments(0.0, 0.0, 0.0);
  var at = first;
  var left = count;
  while (left >= 8u) {
    var a = sourceAt(at + near) - anchor;
    var b = sourceAt(at + 4u * stride + near) - anchor;
    var middle = 0.0;
    if (CENTRED) {
      let pairs = a + b;
      middle = ((pairs.x + pairs.y) + (pairs.z + pairs.w)) * 0.125;
      a -= middle;
      b -= middle;
    }
    let both = a * a + b * b;
    total = join(total, Moments(8.0, middle, (both.x + both.y) + (both.z + both.w)));
    at += 8u * stride;
    left -= 8u;
  }
  while (left > 0u) {
    let v = source[at] - anchor;
    total = join(total, Moments(1.0, v, select(v * v, 0.0, CENTRED)));
    at += stride;
    left -= 1u;
  }
  return total;
}

fn writeMoments(index: u32, moments: Moments, anchor: f32) {
  let defined = isFinite(moments.mean) && isFinite(moments.square);
  squares[index] = select(nanF32(), moments.square * params.inverse, defined);
  let mean = select(nanF32(), moments.mean, defined);
  if (WHOLE) {
    means[index] = select(nanF32(), anchor, defined);
    means[params.statistics + index] = mean;
  } else {
    means[index] = mean;
  }
}

// The part of a group that lies in one row: where its group and itself begin, and its length.
struct Run {
  group: u32,
  first: u32,
  count: u32,
}

fn runOf(index: u32) -> Run {
  let group = index / params.parts;
  let start = (index - group * params.parts) * params.chunk;
  let first = group * params.length;
  return Run(first, first + start, min(params.chunk, params.length - start));
}

// For samples of one row: a group lies in a stretch. The moments of a part of it, as above, to (samples, groups, parts).
@compute @workgroup_size(WORKGROUP)
fn momentsOfRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let run = runOf(index);
  let anchor = anchorAt(run.group);
  writeMoments(index, momentsOf(run.first, run.count, 1u, anchor), anchor);
}

// The share of `count` elements that falls to a lane of a workgroup.
fn shareOf(count: u32, lane: u32) -> u32 {
  if (lane >= count) {
    return 0u;
  }
  return (count - lane + WORKGROUP - 1u) / WORKGROUP;
}

fn putMoments(lane: u32, moments: Moments) {
  sharedCounts[lane] = moments.count;
  sharedFirsts[lane] = moments.mean;
  sharedSeconds[lane] = moments.square;
}

fn getMoments(lane: u32) -> Moments {
  return Moments(sharedCounts[lane], sharedFirsts[lane], sharedSeconds[lane]);
}

// Joins what all lanes of a workgroup have; invocation 0 gets the whole.
fn joinLanes(lane: u32, own: Moments) -> Moments {
  putMoments(lane, own);
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      putMoments(lane, join(getMoments(lane), getMoments(lane + half)));
    }
    workgroupBarrier();
  }
  return getMoments(0u);
}

// The same with a workgroup for each part.
@compute @workgroup_size(WORKGROUP)
fn momentsOfRowsByGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let run = runOf(index);
  let anchor = anchorAt(run.group);
  let own = momentsOf(run.first + lane, shareOf(run.count, lane), WORKGROUP, anchor);
  let all = joinLanes(lane, own);
  if (lane == 0u) {
    writeMoments(index, all, anchor);
  }
}

// Joins the parts of a group, `inner` neighbours in each of `parts` parts that lie `step` apart; every `stride`-th. Each
// 32 make a block: what a small part adds to the square of an outlier would be rounded away.
fn mergeParts(index: u32, lane: u32, stride: u32) -> Moments {
  let sample = index / params.groups;
  let first = sample * params.parts * params.step + (index - sample * params.groups) * params.inner;
  var total = Moments(0.0, 0.0, 0.0);
  var block = Moments(0.0, 0.0, 0.0);
  var turn = 0u;
  for (var entry = lane; entry < params.parts * params.inner; entry += stride) {
    let part = entry / params.inner;
    let at = first + part * params.step + (entry - part * params.inner);
    let count = f32(min(params.chunk, params.length - part * params.chunk));
    block = join(block, Moments(count, firsts[at], seconds[at]));
    turn += 1u;
    if ((turn & 31u) == 0u) {
      total = join(total, block);
      block = Moments(0.0, 0.0, 0.0);
    }
  }
  return join(total, block);
}

// The anchor of group `index`, counted through all samples, as the steps before took it.
fn mergedAnchor(index: u32) -> f32 {
  if (!CENTRED) {
    return 0.0;
  }
  var first = index * params.width;
  if (!SINGLE) {
    let sample = index / params.groups;
    first += sample * (params.rows - 1u) * params.channels;
  }
  return medianOf(
    vec4f(elements[first + params.probe0]),
    vec4f(elements[first + params.probe1]),
    vec4f(elements[first + params.probe2]),
    vec4f(elements[first + params.probe3]),
    vec4f(elements[first + params.probe4]),
  ).x;
}

fn writeMerged(index: u32, moments: Moments) {
  let variance = moments.square * params.inverse;
  let defined = isFinite(moments.mean) && isFinite(variance);
  firstTotals[index] = select(nanF32(), mergedAnchor(index), defined);
  firstTotals[params.statistics + index] = select(nanF32(), moments.mean, defined);
  secondTotals[index] = select(nanF32(), variance, defined);
}

// The anchor, the offset and the variance of a group from the moments of its parts.
@compute @workgroup_size(WORKGROUP)
fn mergeMoments(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  writeMerged(index, mergeParts(index, 0u, 1u));
}

@compute @workgroup_size(WORKGROUP)
fn mergeMomentsByGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let all = joinLanes(lane, mergeParts(index, lane, WORKGROUP));
  if (lane == 0u) {
    writeMerged(index, all);
  }
}

fn putResult(at: vec4u, y: vec4f) {
  result[at.x] = y.x;
  result[at.y] = y.y;
  result[at.z] = y.z;
  result[at.w] = y.w;
}

// y for four columns of some rows, sample by sample, four rows at a time.
@compute @workgroup_size(WORKGROUP)
fn normalizeRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let own = rowsOf(index);
  let c = own.channel;
  var scale = vec4f(1.0);
  var shift = vec4f(0.0);
  if (SCALED) {
    scale = vec4f(gamma[c.x], gamma[c.y], gamma[c.z], gamma[c.w]);
  }
  if (SHIFTED) {
    shift = vec4f(beta[c.x], beta[c.y], beta[c.z], beta[c.w]);
  }
  let group4 = c / params.width;
  var sample = own.first / params.rows;
  var ahead = (sample + 1u) * params.rows - own.first; // rows until the next sample
  let next = params.channels;
  var at = own.first * next + c;
  var left = own.count;
  while (SINGLE && left > 0u) {
    var by = statisticsOf(sample, group4);
    by.factor *= scale;
    putResult(at, standardise(sourceAt(at), by) + shift);
    sample += 1u;
    at += next;
    left -= 1u;
  }
  while (!SINGLE && left > 0u) {
    var by = statisticsOf(sample, group4);
    by.factor *= scale;
    var here = min(left, ahead);
    left -= here;
    sample += 1u;
    ahead = params.rows;
    while (here >= 4u) {
      let a = standardise(sourceAt(at), by) + shift;
      let b = standardise(sourceAt(at + next), by) + shift;
      let c = standardise(sourceAt(at + 2u * next), by) + shift;
      let d = standardise(sourceAt(at + 3u * next), by) + shift;
      putResult(at, a);
      putResult(at + next, b);
      putResult(at + 2u * next, c);
      putResult(at + 3u * next, d);
      at += 4u * next;
      here -= 4u;
    }
    while (here > 0u) {
      putResult(at, standardise(sourceAt(at), by) + shift);
      at += next;
      here -= 1u;
    }
  }
}

// Σ g to `sums` and Σ g x̂ to `products` for each of four columns over a part of the rows (…, parts, channels). Every 32
// rows make a block, so that the rounding error does not grow with the full number.
@compute @workgroup_size(WORKGROUP)
fn sumColumns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let own = rowsOf(index);
  let group4 = own.channel / params.width;
  var sample = own.first / params.rows;
  var ahead = (sample + 1u) * params.rows - own.first;
  let next = params.channels;
  var at = own.first * next + own.channel;
  var left = own.count;
  var sum = vec4f(0.0);
  var product = vec4f(0.0);
  var blockSum = vec4f(0.0);
  var blockProduct = vec4f(0.0);
  while (SINGLE && left > 0u) {
    let g = gradientAt(at);
    blockSum += g;
    blockProduct = fma(g, standardise(sourceAt(at), statisticsOf(sample, group4)), blockProduct);
    sample += 1u;
    at += next;
    left -= 1u;
    let ends = (left & 31u) == 0u;
    sum += select(vec4f(0.0), blockSum, ends);
    product += select(vec4f(0.0), blockProduct, ends);
    blockSum = select(blockSum, vec4f(0.0), ends);
    blockProduct = select(blockProduct, vec4f(0.0), ends);
  }
  while (!SINGLE && left > 0u) {
    let by = statisticsOf(sample, group4);
    var here = min(left, ahead);
    left -= here;
    sample += 1u;
    ahead = params.rows;
    while (here >= 4u) {
      let a = gradientAt(at);
      let b = gradientAt(at + next);
      let c = gradientAt(at + 2u * next);
      let d = gradientAt(at + 3u * next);
      let ax = a * standardise(sourceAt(at), by);
      let bx = b * standardise(sourceAt(at + next), by);
      let cx = c * standardise(sourceAt(at + 2u * next), by);
      let dx = d * standardise(sourceAt(at + 3u * next), by);
      blockSum += (a + b) + (c + d);
      blockProduct += (ax + bx) + (cx + dx);
      at += 4u * next;
      here -= 4u;
      let ends = (here & 28u) == 0u;
      sum += select(vec4f(0.0), blockSum, ends);
      product += select(vec4f(0.0), blockProduct, ends);
      blockSum = select(blockSum, vec4f(0.0), ends);
      blockProduct = select(blockProduct, vec4f(0.0), ends);
    }
    while (here > 0u) {
      let g = gradientAt(at);
      blockSum += g;
      blockProduct = fma(g, standardise(sourceAt(at), by), blockProduct);
      at += next;
      here -= 1u;
    }
    let ends = (sample & 31u) == 0u;
    sum += select(vec4f(0.0), blockSum, ends);
    product += select(vec4f(0.0), blockProduct, ends);
    blockSum = select(blockSum, vec4f(0.0), ends);
    blockProduct = select(blockProduct, vec4f(0.0), ends);
  }
  sum += blockSum;
  product += blockProduct;
  let to = own.block * params.channels + own.channel;
  sums[to.x] = sum.x;
  sums[to.y] = sum.y;
  sums[to.z] = sum.z;
  sums[to.w] = sum.w;
  products[to.x] = product.x;
  products[to.y] = product.y;
  products[to.z] = product.z;
  products[to.w] = product.w;
}

// Σ gamma g and Σ gamma g x̂ of every `stride`-th element of a part of a group that lies in one row.
fn sumRun(index: u32, lane: u32, stride: u32) -> vec2f {
  let run = runOf(index);
  let group = run.group / params.width; // counted through all samples
  let channel = (group % params.groups) * params.width + (run.first - run.group);
  var anchor = 0.0;
  var offset = 0.0;
  if (CENTRED) {
    anchor = centres[group];
    if (!GIVEN) {
      offset = centres[params.statistics + group];
    }
  }
  let factor = 1.0 / sqrt(variances[group] + params.epsilon);
  var total = vec2f(0.0);
  var block = vec2f(0.0);
  var turn = 0u;
  for (var k = lane; k < run.count; k += stride) {
    var g = gradient[run.first + k];
    if (SCALED) {
      g *= rowGamma[channel + k];
    }
    block += vec2f(g, g * (((source[run.first + k] - anchor) - offset) * factor));
    turn += 1u;
    let ends = (turn & 31u) == 0u;
    total += select(vec2f(0.0), block, ends);
    block = select(block, vec2f(0.0), ends);
  }
  return total + block;
}

// For samples of one row: the sums over a part of a group, with gamma, to (samples, groups, parts).
@compute @workgroup_size(WORKGROUP)
fn sumRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let total = sumRun(index, 0u, 1u);
  sums[index] = total.x;
  products[index] = total.y;
}

// Adds what all lanes of a workgroup have.
fn addLanes(lane: u32, own: vec2f) -> vec2f {
  sharedFirsts[lane] = own.x;
  sharedSeconds[lane] = own.y;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      sharedFirsts[lane] += sharedFirsts[lane + half];
      sharedSeconds[lane] += sharedSeconds[lane + half];
    }
    workgroupBarrier();
  }
  return vec2f(sharedFirsts[0], sharedSeconds[0]);
}

@compute @workgroup_size(WORKGROUP)
fn sumRowsByGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let total = addLanes(lane, sumRun(index, lane, WORKGROUP));
  if (lane == 0u) {
    sums[index] = total.x;
    products[index] = total.y;
  }
}

// The sums of a group or of a channel from those of its parts; with gamma when SCALED.
fn foldParts(index: u32, lane: u32, stride: u32) -> vec2f {
  let sample = index / params.groups;
  let column = (index - sample * params.groups) * params.inner;
  let first = sample * params.parts * params.step + column;
  var total = vec2f(0.0);
  var block = vec2f(0.0);
  var turn = 0u;
  for (var entry = lane; entry < params.parts * params.inner; entry += stride) {
    let part = entry / params.inner;
    let inside = entry - part * params.inner;
    let at = first + part * params.step + inside;
    var both = vec2f(firsts[at], seconds[at]);
    if (SCALED) {
      both *= weights[column + inside];
    }
    block += both;
    turn += 1u;
    let ends = (turn & 31u) == 0u;
    total += select(vec2f(0.0), block, ends);
    block = select(block, vec2f(0.0), ends);
  }
  return total + block;
}

@compute @workgroup_size(WORKGROUP)
fn foldSums(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let total = foldParts(index, 0u, 1u);
  firstTotals[index] = total.x;
  secondTotals[index] = total.y;
}

@compute @workgroup_size(WORKGROUP)
fn foldSumsByGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let total = addLanes(lane, foldParts(index, lane, WORKGROUP));
  if (lane == 0u) {
    firstTotals[index] = total.x;
    secondTotals[index] = total.y;
  }
}

// What a group's sums add to ∂x = factor * (gamma g - mean of gamma g - x̂ * mean of gamma g x̂).
struct Means {
  sum: vec4f,
  product: vec4f,
}

fn meansOf(sample: u32, group: vec4u) -> Means {
  let at = sample * params.groups + group;
  var sum = vec4f(0.0);
  if (SHARED) {
    if (CENTRED) {
      sum = vec4f(groupSums[at.x]);
    }
    return Means(sum * params.inverse, vec4f(groupProducts[at.x]) * params.inverse);
  }
  if (CENTRED) {
    sum = vec4f(groupSums[at.x], groupSums[at.y], groupSums[at.z], groupSums[at.w]);
  }
  let product = vec4f(groupProducts[at.x], groupProducts[at.y], groupProducts[at.z], groupProducts[at.w]);
  return Means(sum * params.inverse, product * params.inverse);
}

fn through(at: vec4u, scale: vec4f, by: Statistics, mean: Means) -> vec4f {
  let centred = fma(gradientAt(at), scale, -mean.sum);
  return by.factor * (centred - standardise(sourceAt(at), by) * mean.product);
}

fn putGradient(at: vec4u, d: vec4f) {
  sourceGradient[at.x] = d.x;
  sourceGradient[at.y] = d.y;
  sourceGradient[at.z] = d.z;
  sourceGradient[at.w] = d.w;
}

@compute @workgroup_size(WORKGROUP)
fn gradientRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let own = rowsOf(index);
  let c = own.channel;
  var scale = vec4f(1.0);
  if (SCALED) {
    scale = vec4f(gradientGamma[c.x], gradientGamma[c.y], gradientGamma[c.z], gradientGamma[c.w]);
  }
  let group4 = c / params.width;
  var sample = own.first / params.rows;
  var ahead = (sample + 1u) * params.rows - own.first;
  let next = params.channels;
  var at = own.first * next + c;
  var left = own.count;
  while (SINGLE && left > 0u) {
    putGradient(at, through(at, scale, statisticsOf(sample, group4), meansOf(sample, group4)));
    sample += 1u;
    at += next;
    left -= 1u;
  }
  while (!SINGLE && left > 0u) {
    let by = statisticsOf(sample, group4);
    let mean = meansOf(sample, group4);
    var here = min(left, ahead);
    left -= here;
    sample += 1u;
    ahead = params.rows;
    while (here >= 4u) {
      let a = through(at, scale, by, mean);
      let b = through(at + next, scale, by, mean);
      let c = through(at + 2u * next, scale, by, mean);
      let d = through(at + 3u * next, scale, by, mean);
      putGradient(at, a);
      putGradient(at + next, b);
      putGradient(at + 2u * next, c);
      putGradient(at + 3u * next, d);
      at += 4u * next;
      here -= 4u;
    }
    while (here > 0u) {
      putGradient(at, through(at, scale, by, mean));
      at += next;
      here -= 1u;
    }
  }
}

// moving * momentum + batch * (1 - momentum) for the mean and the variance of each channel.
@compute @workgroup_size(WORKGROUP)
fn movingStatistics(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (c >= params.count) {
    return;
  }
  let mean = batchCentres[c] + batchCentres[params.statistics + c];
  nextMeans[c] = fma(movingMeans[c], params.momentum, mean * params.rest);
  nextVariances[c] = fma(movingVariances[c], params.momentum, batchVariances[c] * params.rest);
}
