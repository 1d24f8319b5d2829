// The gradients of a normalisation (the formula and the geometry stand in normalize.wgsl), x̂ = (x - mean) / sqrt(variance + ε):
//
//   ∂beta = Σ g    ∂gamma = Σ g x̂    ∂x = factor * (gamma g - mean of gamma g - x̂ * mean of gamma g x̂)
//
//   source     (samples, rows, channels)
//   gradient   (samples, rows, channels)   that of y
//   centres    (2, samples, groups)        the anchors, then the offsets; GIVEN: (groups,), the means
//   variances  (samples, groups)
//
// The steps, each of which says what it writes (always with `=`); sums are made in a fixed order:
//   sumColumns, sumRows, sumRowsByGroup                     Σ g and Σ g x̂ of parts
//   foldSums, foldSumsByGroup                               parts into groups, or into channels
//   gradientRows                                            ∂x

override CENTRED: bool = true;
override GIVEN: bool = false;     // `centres` are means without offsets
override SCALED: bool = false;    // there is a gamma
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

// sums and gradientRows
@group(0) @binding(4) var<storage, read> gradient: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> products: array<f32>;
@group(0) @binding(7) var<storage, read> rowGamma: array<f32>;
@group(0) @binding(5) var<storage, read_write> sourceGradient: array<f32>;
@group(0) @binding(6) var<storage, read> groupSums: array<f32>;
@group(0) @binding(7) var<storage, read> groupProducts: array<f32>;
@group(0) @binding(8) var<storage, read> gradientGamma: array<f32>;

// foldSums
@group(0) @binding(1) var<storage, read> firsts: array<f32>;
@group(0) @binding(2) var<storage, read> seconds: array<f32>;
@group(0) @binding(3) var<storage, read_write> firstTotals: array<f32>;
@group(0) @binding(4) var<storage, read_write> secondTotals: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;

var<workgroup> sharedFirsts: array<f32, WORKGROUP>;
var<workgroup> sharedSeconds: array<f32, WORKGROUP>;

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
