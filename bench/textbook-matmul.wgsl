// out = A B, the kernel of the textbooks: for comparison in the benchmarks only, wgrad never runs it.
//
//   binding 1   a    (M, K)   read
//   binding 2   b    (K, N)   read
//   binding 3   out  (M, N)   write
//
// A workgroup owns 16 x 16 elements and walks K in steps of 16 through workgroup memory; each invocation owns one
// element and writes it with `=`.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const SIDE = 16u;

var<workgroup> tileA: array<array<f32, SIDE>, SIDE>;
var<workgroup> tileB: array<array<f32, SIDE>, SIDE>;

@compute @workgroup_size(SIDE, SIDE)
fn textbook(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  var sum = 0.0;
  for (var start = 0u; start < params.k; start += SIDE) {
    let kA = start + local.x;
    let kB = start + local.y;
    tileA[local.y][local.x] = 0.0;
    tileB[local.y][local.x] = 0.0;
    if (id.y < params.m && kA < params.k) { tileA[local.y][local.x] = a[id.y * params.k + kA]; }
    if (id.x < params.n && kB < params.k) { tileB[local.y][local.x] = b[kB * params.n + id.x]; }
    workgroupBarrier();
    for (var k = 0u; k < SIDE; k++) {
      sum = fma(tileA[local.y][k], tileB[k][local.x], sum);
    }
    workgroupBarrier();
  }
  if (id.y < params.m && id.x < params.n) { out[id.y * params.n + id.x] = sum; }
}
