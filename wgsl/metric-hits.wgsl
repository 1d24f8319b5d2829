// Which predictions are right, as bool words.
//
//   thresholdHits  hits[i] = (predicted[i] > threshold) = wanted[i], for wanted of 0 and 1; others, and NaN, are never hit.
//                  A NaN prediction lies above no threshold. An invocation owns one element.
//   topHits        hits[row] = fewer than k of the row's columns lie above that of the label: equals count as one place.
//                  Never for a label that is no column, nor for a row with a NaN. An invocation owns one row.
//
//   predicted (count,) or (count, columns)     wanted (count,) float32, or words of int32 or bool where not FLOAT
//   labels (count,) int32     hits (count,)  `=`

override FLOAT: bool = true;

struct Params {
  count: u32,
  columns: u32,
  k: u32,
  threshold: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> predicted: array<f32>;
@group(0) @binding(2) var<storage, read> wanted: array<u32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read_write> hits: array<u32>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(64)
fn thresholdHits(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let p = predicted[i];
  let yes = p > params.threshold && !isNan(p);
  var word = wanted[i];
  if (FLOAT) {
    // 1.0 and both zeros as words; all else is neither 0 nor 1.
    let t = bitcast<f32>(word);
    word = select(select(2u, 1u, t == 1.0), 0u, t == 0.0);
    if (isNan(t)) { word = 2u; }
  }
  hits[i] = u32(word == u32(yes));
}

@compute @workgroup_size(64)
fn topHits(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.x + group.y * groups.x) * 64u + lane;
  if (row >= params.count) { return; }
  let label = labels[row];
  if (label < 0 || label >= i32(params.columns)) {
    hits[row] = 0u;
    return;
  }
  let first = row * params.columns;
  let own = predicted[first + u32(label)];
  var above = 0u;
  var unknown = 0u;
  for (var c = 0u; c < params.columns; c++) {
    let p = predicted[first + c];
    above += u32(p > own);
    unknown += u32(isNan(p));
  }
  hits[row] = u32(above < params.k && unknown == 0u);
}
