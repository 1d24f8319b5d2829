// Normalisation over groups of channels. A tensor is (samples, rows, channels), and its channels fall into `groups` of
// `width` neighbours; a group of a sample, rows · width elements, has a mean and a variance of its own:
//
//   y = (x - mean) / sqrt(variance + epsilon) * gamma + beta          gamma, beta  (channels,)
//
// Batch norm has one sample and a width of 1, layer norm one row and one group, instance norm a width of 1. Without
// CENTRED (root mean square) the mean is 0 and the variance is the mean of the squares.
//
//   source     (samples, rows, channels)
//   centres    (2, samples, groups)        the anchors, then the offsets; GIVEN: (groups,), the means
//   variances  (samples, groups)
//   result     (samples, rows, channels)   normalizeRows owns four channels of some rows, `=`
//
// The statistics come from normalize-moments.wgsl, the gradients from normalize-gradient.wgsl.

override CENTRED: bool = true;
override GIVEN: bool = false;     // `centres` are means without offsets
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
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
@group(0) @binding(6) var<storage, read> beta: array<f32>;

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
