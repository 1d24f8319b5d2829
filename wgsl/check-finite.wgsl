// Keeps the first check of all that finds a NaN or an infinity.
//
//   values   (count,)  float32 as words, up to three of which follow as padding that does not count
//   record   (3,)         the number of the check that found something first, 0 for none; what it found: 1 for a NaN, 2 for
//                         +∞, 4 for −∞, added up; the position of its last find, counted from 1
//
// Checks run one after another, so an earlier one has claimed the record for good. The invocations of one check run at
// once: what they write is the same in every order (or, max).

override WORKGROUP: u32 = 64u;

// Vectors that an invocation looks at.
const TURNS = 8u;

struct Params {
  count: u32,
  check: u32,
  unused0: u32,
  unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> record: array<atomic<u32>>;

fn report(position: u32, bits: u32) {
  if (position >= params.count || (bits & 0x7fffffffu) < 0x7f800000u) { return; }
  var claim = atomicCompareExchangeWeak(&record[0], 0u, params.check);
  while (!claim.exchanged && claim.old_value == 0u) {
    claim = atomicCompareExchangeWeak(&record[0], 0u, params.check);
  }
  if (!claim.exchanged && claim.old_value != params.check) { return; }
  let infinity = select(2u, 4u, bits == 0xff800000u);
  atomicOr(&record[1], select(infinity, 1u, (bits & 0x7fffffffu) > 0x7f800000u));
  atomicMax(&record[2], position + 1u);
}

@compute @workgroup_size(WORKGROUP)
fn checkFinite(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * WORKGROUP * TURNS + lane;
  let end = min(first + WORKGROUP * TURNS, (params.count + 3u) / 4u);
  // Without their signs, finite floats are the smaller integers.
  var largest = vec4u();
  for (var i = first; i < end; i += WORKGROUP) { largest = max(largest, values[i] & vec4u(0x7fffffffu)); }
  if (all(largest < vec4u(0x7f800000u))) { return; }
  for (var i = first; i < end; i += WORKGROUP) {
    let bits = values[i];
    report(4u * i, bits.x);
    report(4u * i + 1u, bits.y);
    report(4u * i + 2u, bits.z);
    report(4u * i + 3u, bits.w);
  }
}
