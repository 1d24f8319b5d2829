// A confusion matrix over batches: matrix[t, p] += the weight of the samples of class t that were predicted as class p.
//
//   clear     partials = 0
//   collect   the samples of a part, `chunk` of them: partials[part, t, p] += w, or matrix[t, p] += w where there is one part
//   finish    matrix[t, p] += Σ over the parts
//
//   truth, predicted (count,)  int32, or bool words     weights (count / span,)  one for `span` neighbours, float32
//   errors (4,)  the device's error record, for labels out of range; their samples do not count
//   partials (parts, classes, classes)     matrix (classes, classes)
//
// In collect an invocation owns a part with its matrix, in the others an element: all is added in the order of the samples.
// Where there are no weights, any buffer may stand in their place.

override WEIGHTED: bool = false;
override LANES: u32 = 64u;

struct Params {
  count: u32,
  classes: u32,
  span: u32,
  chunk: u32,
  parts: u32,
  op: u32,        // the op's number in the error record
  unused0: u32,
  unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> truth: array<i32>;
@group(0) @binding(2) var<storage, read> predicted: array<i32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> errors: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> collected: array<f32>;

@group(0) @binding(1) var<storage, read_write> cleared: array<f32>;

@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> matrix: array<f32>;

// The top bit of a limit in the error record: negative indices do not count from the end.
const NO_WRAP = 0x80000000u;

// Keeps the first offence of all.
fn reportIndex(position: u32, value: i32, limit: u32) {
  if (params.op == 0u) {
    return;
  }
  var claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  while (!claim.exchanged && claim.old_value == 0u) {
    claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  }
  if (claim.exchanged) {
    atomicStore(&errors[1], position);
    atomicStore(&errors[2], bitcast<u32>(value));
    atomicStore(&errors[3], limit);
  }
}

fn isClass(label: i32) -> bool {
  return label >= 0 && u32(label) < params.classes;
}

@compute @workgroup_size(64)
fn clear(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let own = (group.x + group.y * groups.x) * 64u + lane;
  if (own < params.parts * params.classes * params.classes) { cleared[own] = 0.0; }
}

@compute @workgroup_size(LANES)
fn collect(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let part = (group.x + group.y * groups.x) * LANES + lane;
  if (part >= params.parts) { return; }
  let base = part * params.classes * params.classes;
  let first = part * params.chunk;
  let end = min(first + params.chunk, params.count);
  for (var i = first; i < end; i++) {
    let t = truth[i];
    let p = predicted[i];
    if (isClass(t) && isClass(p)) {
      collected[base + u32(t) * params.classes + u32(p)] += select(1.0, weights[i / params.span], WEIGHTED);
    } else {
      reportIndex(i, select(t, p, isClass(t)), params.classes | NO_WRAP);
    }
  }
}

@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let own = (group.x + group.y * groups.x) * 64u + lane;
  let cells = params.classes * params.classes;
  if (own >= cells) { return; }
  var sum = 0.0;
  for (var part = 0u; part < params.parts; part++) { sum += partials[part * cells + own]; }
  matrix[own] += sum;
}
