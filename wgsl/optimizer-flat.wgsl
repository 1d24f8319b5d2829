// What surrounds an optimizer's step, over flat gradients and values; 64 neighbours are a block of one segment.
//
//   squares     partials[block] = Σ g² of the block, 0 where its segment is not updated; an invocation owns a block
//   combine     sums[first + s] = Σ of the partials from starts[s] to starts[s + 1], or of all where WHOLE; a workgroup owns
//               one sum. Added in a fixed order: each lane every 64th, then the lanes.
//   accumulate  sums[i] = gradient[i] + sums[i], or `=` where FIRST; 0 for the gradient where the segment has none now
//   average     averages[i] = momentum · averages[i] + fresh · value[i]
//
// accumulate and average: an invocation owns four neighbours.
//
//   partials, blocks (N/64,)   segments (S, 3) with 1 in the third column where there is a gradient   starts (S + 1,)

struct Params {
  // squares: blocks; combine: sums; accumulate and average: quads
  count: u32,
  // combine: where the sums start, and the number of partials
  first: u32,
  partials: u32,
  unused: u32,
  momentum: f32,
  fresh: f32,
}

override WHOLE: bool = false;
override FIRST: bool = false;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read> blocks: array<u32>;
@group(0) @binding(3) var<storage, read> segments: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn squares(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = (group.x + group.y * groups.x) * 64u + lane;
  if (block >= params.count) { return; }
  if (segments[3u * blocks[block] + 2u] == 0.0) {
    partials[block] = 0.0;
    return;
  }
  var sum = vec4f();
  for (var i = 0u; i < 16u; i++) {
    let g = gradients[16u * block + i];
    sum = fma(g, g, sum);
  }
  partials[block] = (sum.x + sum.y) + (sum.z + sum.w);
}

@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

var<workgroup> lanes: array<f32, 64>;

@compute @workgroup_size(64)
fn combine(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = group.x + group.y * groups.x;
  let inside = number < params.count;
  var at = 0u;
  var end = params.partials;
  if (!WHOLE) {
    at = starts[min(number, params.count)];
    end = starts[min(number + 1u, params.count)];
  }
  var sum = 0.0;
  for (var i = at + lane; i < end; i += 64u) { sum += parts[i]; }
  lanes[lane] = sum;
  workgroupBarrier();
  if (lane != 0u || !inside) { return; }
  for (var i = 1u; i < 64u; i++) { sum += lanes[i]; }
  sums[params.first + number] = sum;
}

@group(0) @binding(4) var<storage, read_write> accumulated: array<vec4f>;

@compute @workgroup_size(64)
fn accumulate(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  var g = vec4f();
  if (segments[3u * blocks[index / 16u] + 2u] != 0.0) { g = gradients[index]; }
  if (!FIRST) { g += accumulated[index]; }
  accumulated[index] = g;
}

@group(0) @binding(1) var<storage, read> values: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> averages: array<vec4f>;

@compute @workgroup_size(64)
fn average(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  averages[index] = params.momentum * averages[index] + params.fresh * values[index];
}
