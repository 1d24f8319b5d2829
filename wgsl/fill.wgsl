// fill:  out[i] = value            (any dtype, the value's bits)
// iota:  out[i] = start + i · step (float32, computed as fma(i, step, start); int32 in integers)
//
//   out  (count,)  one invocation owns one element, `=`

struct Params {
  count: u32,
  value: u32,
  step: u32,
  unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

override IS_INT: bool = false;

@compute @workgroup_size(64)
fn fill(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  out[index] = params.value;
}

@compute @workgroup_size(64)
fn iota(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  if (IS_INT) {
    out[index] = params.value + index * params.step;
  } else {
    out[index] = bitcast<u32>(fma(f32(index), bitcast<f32>(params.step), bitcast<f32>(params.value)));
  }
}
