// The statistics of a normalisation (the formula and the geometry stand in normalize.wgsl): a mean and a variance for each
// group of a sample, and the moving ones that inference will use. A mean is kept as `anchor + offset`: the rounding of a
// mean of 1e4 alone would move y by 5e-4 if the deviation is 1. The anchor is the median of five elements of the group, so
// that x - anchor is no larger than it must be: an outlier as anchor would round away the digits of all others. Without
// CENTRED anchor and offset are 0 and the variance is the mean of the squares. Where the variance is not finite (the group
// holds a NaN or an infinity, or the squares overflow, |x - mean| or, not centred, |x| above some 1e19), all statistics
// of the group are NaN, and with them its results.
//
//   source     (samples, rows, channels)
//   centres    (2, samples, groups)        the anchors, then the offsets
//   variances  (samples, groups)
//
// The steps, each of which says what it writes (always with `=`); sums are made in a fixed order:
//   momentsOfColumns, momentsOfRows, momentsOfRowsByGroup   the moments of parts
//   mergeMoments, mergeMomentsByGroup                       parts into groups
//   movingStatistics                                        what inference will use

override CENTRED: bool = true;
override WHOLE: bool = false;     // a part is a group
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

// moments
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;

// mergeMoments
@group(0) @binding(1) var<storage, read> firsts: array<f32>;
@group(0) @binding(2) var<storage, read> seconds: array<f32>;
@group(0) @binding(3) var<storage, read_write> firstTotals: array<f32>;
@group(0) @binding(4) var<storage, read_write> secondTotals: array<f32>;
@group(0) @binding(5) var<storage, read> elements: array<f32>;

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
