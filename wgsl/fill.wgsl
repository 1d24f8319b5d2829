// fill:  out[i] = value            (any dtype, the value's bits)
// iota:  out[i] = start + i · step (float32, computed as fma(i, step, start); int32 in integers)
//
//   out  (4 count,)  one invocation owns four neighbours, `=`

struct Params {
  count: u32,
  value: u32,
  step: u32,
  unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>;

override IS_INT: bool = false;

@compute @workgroup_size(64)
fn fill(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  out[index] = vec4u(params.value);
}

@compute @workgroup_size(64)
fn iota(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let i = 4u * index + vec4u(0u, 1u, 2u, 3u);
  if (IS_INT) {
    out[index] = params.value + i * params.step;
  } else {
    let start = vec4f(bitcast<f32>(params.value));
    out[index] = bitcast<vec4u>(fma(vec4f(i), vec4f(bitcast<f32>(params.step)), start));
  }
}
