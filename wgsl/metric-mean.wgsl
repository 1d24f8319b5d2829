// A mean over many batches, as two sums: of values times their weights, and of the weights.
//
//   collect   a part of at most `chunk` values. FINAL, where there is one part: sums[0] += scale · Σ v·w and
//             sums[1] += scale · Σ w, or += rows where not WEIGHTED, with w = 1. Else partials[part] = (Σ v·w, Σ w).
//   finish    the same additions to the sums, from the partials
//   quotient  mean = sums[0] / sums[1], or its root where ROOT; 0 where sums[1] is 0
//
//   values (count,)  float32, or bool words where not FLOAT     weights (count / span,)  one for `span` neighbours
//   partials (parts, 2)     sums (2,)     mean (1,)
//
// A workgroup owns a part, or the sums. Added in a fixed order: each lane every 64th, then the lanes. Where there are no
// weights, any buffer may stand in their place.

override WEIGHTED: bool = false;
override FLOAT: bool = true;
override FINAL: bool = true;
override ROOT: bool = false;

struct Params {
  count: u32,
  span: u32,
  chunk: u32,
  parts: u32,
  scale: f32,
  rows: f32,
  unused0: u32,
  unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> collected: array<f32>;

@group(0) @binding(1) var<storage, read> partials: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@group(0) @binding(1) var<storage, read> whole: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;

var<workgroup> lanes: array<vec2f, 64>;

// A value times its weight, and the weight.
fn weighed(i: u32) -> vec2f {
  var v: f32;
  if (FLOAT) { v = bitcast<f32>(values[i]); } else { v = f32(values[i]); }
  if (!WEIGHTED) { return vec2f(v, 1.0); }
  let w = weights[i / params.span];
  return vec2f(v * w, w);
}

// What to add to the sums.
fn share(sum: vec2f) -> vec2f {
  return vec2f(params.scale * sum.x, select(params.rows, params.scale * sum.y, WEIGHTED));
}

@compute @workgroup_size(64)
fn collect(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let part = group.x + group.y * groups.x;
  let first = part * params.chunk;
  let end = min(first + params.chunk, params.count);
  var sum = vec2f();
  for (var i = first + lane; i < end; i += 64u) { sum += weighed(i); }
  lanes[lane] = sum;
  workgroupBarrier();
  if (lane != 0u || part >= params.parts) { return; }
  for (var i = 1u; i < 64u; i++) { sum += lanes[i]; }
  if (FINAL) {
    let own = share(sum);
    collected[0] += own.x;
    collected[1] += own.y;
  } else {
    collected[2u * part] = sum.x;
    collected[2u * part + 1u] = sum.y;
  }
}

@compute @workgroup_size(64)
fn finish(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2f();
  for (var i = lane; i < params.parts; i += 64u) { sum += partials[i]; }
  lanes[lane] = sum;
  workgroupBarrier();
  if (lane != 0u) { return; }
  for (var i = 1u; i < 64u; i++) { sum += lanes[i]; }
  let own = share(sum);
  sums[0] += own.x;
  sums[1] += own.y;
}

@compute @workgroup_size(1)
fn quotient() {
  if (whole[1] == 0.0) {
    mean[0] = 0.0;
    return;
  }
  let q = whole[0] / whole[1];
  mean[0] = select(q, sqrt(q), ROOT);
}
