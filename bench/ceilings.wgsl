// The ceilings that kernels are measured against: memory traffic without arithmetic, arithmetic without memory.
//
//   copyWords   binding 1  source  (4 count)   read     out = source, count vectors of four
//               binding 2  out     (4 count)   write
//   fmaLoop     binding 1  out     (64 groups) write    48 multiply-adds per turn in registers, `turns` turns
//
// Invocation i owns vector i of the copy, element i of the loop's result, and writes it with `=`.

struct Params {
  count: u32,
  turns: u32,
  factor: f32,
  addend: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> target_: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn copyWords(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let index = 64u * (group.x + group.y * count.x) + local;
  if (index < params.count) { target_[index] = source[index]; }
}

@compute @workgroup_size(64)
fn fmaLoop(@builtin(global_invocation_id) id: vec3u) {
  let f = params.factor;
  let g = params.addend;
  let start = f32(id.x);
  var a0 = start + 0.0;
  var a1 = start + 1.0;
  var a2 = start + 2.0;
  var a3 = start + 3.0;
  var a4 = start + 4.0;
  var a5 = start + 5.0;
  var a6 = start + 6.0;
  var a7 = start + 7.0;
  var a8 = start + 8.0;
  var a9 = start + 9.0;
  var a10 = start + 10.0;
  var a11 = start + 11.0;
  for (var turn = 0u; turn < params.turns; turn++) {
    a0 = fma(a0, f, g);
    a1 = fma(a1, f, g);
    a2 = fma(a2, f, g);
    a3 = fma(a3, f, g);
    a4 = fma(a4, f, g);
    a5 = fma(a5, f, g);
    a6 = fma(a6, f, g);
    a7 = fma(a7, f, g);
    a8 = fma(a8, f, g);
    a9 = fma(a9, f, g);
    a10 = fma(a10, f, g);
    a11 = fma(a11, f, g);
    a0 = fma(a0, f, g);
    a1 = fma(a1, f, g);
    a2 = fma(a2, f, g);
    a3 = fma(a3, f, g);
    a4 = fma(a4, f, g);
    a5 = fma(a5, f, g);
    a6 = fma(a6, f, g);
    a7 = fma(a7, f, g);
    a8 = fma(a8, f, g);
    a9 = fma(a9, f, g);
    a10 = fma(a10, f, g);
    a11 = fma(a11, f, g);
    a0 = fma(a0, f, g);
    a1 = fma(a1, f, g);
    a2 = fma(a2, f, g);
    a3 = fma(a3, f, g);
    a4 = fma(a4, f, g);
    a5 = fma(a5, f, g);
    a6 = fma(a6, f, g);
    a7 = fma(a7, f, g);
    a8 = fma(a8, f, g);
    a9 = fma(a9, f, g);
    a10 = fma(a10, f, g);
    a11 = fma(a11, f, g);
    a0 = fma(a0, f, g);
    a1 = fma(a1, f, g);
    a2 = fma(a2, f, g);
    a3 = fma(a3, f, g);
    a4 = fma(a4, f, g);
    a5 = fma(a5, f, g);
    a6 = fma(a6, f, g);
    a7 = fma(a7, f, g);
    a8 = fma(a8, f, g);
    a9 = fma(a9, f, g);
    a10 = fma(a10, f, g);
    a11 = fma(a11, f, g);
  }
  if (id.x < params.count) { out[id.x] = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11; }
}
