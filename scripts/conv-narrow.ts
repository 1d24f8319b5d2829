/** Text of the entry points in wgsl/conv.narrow.wgsl, whose windows are unrolled; used by scripts/conv-siblings.ts. */
import { NARROW_CHANNELS, NARROW_TAPS } from '../kernels/conv-gather.ts';

/** Neighbouring places of one line that an invocation owns, in vectors of four. */
const PLACES = 8;
const QUADS = PLACES / 4;
const XYZW = ['x', 'y', 'z', 'w'] as const;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The window from element `first` on, four of them. */
const four = (first: number): string =>
  `vec4f(${range(4)
    .map((e) => `x${first + e}`)
    .join(', ')})`;

/** The entry point that owns `channels` channels and takes `taps` taps in one turn. */
function narrowEntry(channels: number, taps: number): string {
  const window = PLACES + taps - 1;
  const vectors = Math.ceil((channels * taps) / 4);
  const sums = range(channels).flatMap((c) => range(QUADS).map((q) => `sum${c}_${q}`));
  const products = range(taps).flatMap((t) => [
    ...range(QUADS).map((q) => `    let window${t}_${q} = ${four(t + 4 * q)};`),
    ...range(channels).flatMap((c) => {
      const at = t * channels + c;
      const weight = `vec4f(w${at >> 2}.${XYZW[at & 3]})`;
      return range(QUADS).map((q) => `    sum${c}_${q} = fma(window${t}_${q}, ${weight}, sum${c}_${q});`);
    }),
  ]);
  return `@compute @workgroup_size(LANES)
fn narrow${channels}x${taps}(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let first = firstPlace(number * LANES + lane);
  let place = placeOf(first, vec3u());
  let pixel = params.pixel;
  let line = params.source.z;
${sums.map((sum) => `  var ${sum} = vec4f();`).join('\n')}
  var turn = Turn();
  for (var block = 0u; block < params.blocks; block++) {
    let window = stretchOf(place, turn, ${taps}u);
${range(window)
  .map(
    (j) => `    let x${j} = select(0.0, x[window.at + ${j}u * pixel], window.inLine + ${j}u * pixel < line);`,
  )
  .join('\n')}
${range(vectors)
  .map((v) => `    let w${v} = packed[block * ${vectors}u + ${v}u];`)
  .join('\n')}
${products.join('\n')}
    turn = nextTurn(turn);
  }
  var sums = array<vec4f, ${sums.length}>(${sums.join(', ')});
  var odd = params.activation > 1u;
${range(channels)
  .flatMap((c) => [
    `  let channel${c} = min(${c}u, params.channels - 1u);`,
    ...range(QUADS).map((q) => `  odd |= storeFour(place.out + ${4 * q}u, channel${c}, sum${c}_${q});`),
  ])
  .join('\n')}
  for (var i = select(${channels * PLACES}u, 0u, odd); i < ${channels * PLACES}u; i++) {
    let channel = min(i / ${PLACES}u, params.channels - 1u);
    let own = placeOf(first + i % ${PLACES}u, vec3u());
    finishPlace(own, vec3u(), 0u, channel * params.wChannel, true, channel, sums[i / 4u][i % 4u]);
  }
}
`;
}

const helpers = `override LANES: u32 = 8u;

@group(0) @binding(5) var<storage, read> packed: array<vec4f>;

fn hasNan(v: vec4f) -> bool {
  return any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn reluIf(v: vec4f) -> vec4f {
  return select(v, vec4f(), (v < vec4f()) & vec4<bool>(params.activation == 1u));
}

// Adds the bias, applies relu, and stores four neighbouring places of a channel; tells whether one of them is NaN.
fn storeFour(place: u32, channel: u32, sum: vec4f) -> bool {
  let v = reluIf(sum + vec4f(select(0.0, bias[channel * params.hasBias], params.hasBias != 0u)));
  let at = place * params.channels + channel;
  out[at] = v.x;
  out[at + params.channels] = v.y;
  out[at + 2u * params.channels] = v.z;
  out[at + 3u * params.channels] = v.w;
  return hasNan(v);
}

// The first place of a piece. The last piece of a line ends where the line does, so two pieces may write one place, both the
// same; so do pieces that are not there.
fn firstPlace(item: u32) -> u32 {
  let piece = min(item, params.items - 1u);
  let line = piece / params.pieces;
  return line * params.grid.z + min((piece - line * params.pieces) * ${PLACES}u, params.grid.z - ${PLACES}u);
}

// What one turn of the loop takes: a stretch of taps along the last axis, for one channel of x.
struct Turn {
  z: i32,
  y: i32,
  x: u32,
  k: u32,
}

// One loop instead of four: some drivers go once more through the body of every loop than it has turns.
fn nextTurn(now: Turn) -> Turn {
  let k = now.k + 1u;
  let x = now.x + u32(k == params.depth);
  let y = now.y + i32(x == params.tapTurns);
  let z = now.z + i32(y == i32(params.kernel.y));
  return Turn(
    z,
    select(y, 0, y == i32(params.kernel.y)),
    select(x, 0u, x == params.tapTurns),
    select(k, 0u, k == params.depth),
  );
}

// Where a turn begins in x, and the same element counted along its line.
struct Stretch {
  at: u32,
  inLine: u32,
}

fn stretchOf(place: Place, turn: Turn, taps: u32) -> Stretch {
  let ahead = params.offset.z + min(0, (i32(params.kernel.z) - 1) * params.tapStep.z);
  let along = (ahead + i32(turn.x * taps)) * i32(params.pixel) + i32(turn.k);
  let z = params.offset.x + turn.z * params.tapStep.x;
  let y = params.offset.y + turn.y * params.tapStep.y;
  let valid = u32(place.at.x + z) < params.source.x && u32(place.at.y + y) < params.source.y;
  let shift = (z * i32(params.source.y) + y) * i32(params.source.z) + along;
  return Stretch(place.origin + u32(shift), select(NOWHERE, u32(place.at.z + along), valid));
}

// Element i of the packed filter is number i % (4 * VECTORS) of a turn: tap by tap, OWN channels of each.
override OWN: u32 = 1u;
override TAPS: u32 = 1u;
override VECTORS: u32 = 1u;

@group(0) @binding(1) var<storage, read> filters: array<f32>;
@group(0) @binding(2) var<storage, read_write> packing: array<f32>;

@compute @workgroup_size(64)
fn pack(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (id.x + id.y * count.x) * 64u + lane;
  if (i >= params.blocks * VECTORS * 4u) { return; }
  let block = i / (VECTORS * 4u);
  let number = i % (VECTORS * 4u);
  let stretch = block / params.depth;
  let line = stretch / params.tapTurns;
  let column = stretch % params.tapTurns * TAPS + number / OWN;
  let inside = number < OWN * TAPS && column < params.kernel.z;
  let tap = line * params.kernel.z + select(column, params.kernel.z - 1u - column, params.tapStep.z < 0);
  let channel = min(number % OWN, params.channels - 1u);
  let at = tap * params.wTap + block % params.depth * params.wDepth + channel * params.wChannel;
  packing[i] = select(0.0, filters[at], inside);
}

`;

export const narrowWork = `// For results of few channels, one group, and windows that move by one. Invocation i owns ${PLACES} neighbouring places of a line in all
// channels, and writes them with \`=\`. In each turn it loads the elements that a stretch of neighbouring taps meets, for one
// channel of x, and each of them serves as many taps. \`pack\` brings the filter into the order of these turns beforehand and
// fills it up with zeros, and where there are less channels than an entry point owns, with the last one again.
//
//   binding 5   packed   what \`pack\` wrote    read
//   for \`pack\`: binding 1   filters   like w    read;    binding 2   packing   (blocks, VECTORS, 4)   write
`;

export const narrowText = (): string =>
  helpers + NARROW_CHANNELS.flatMap((c) => NARROW_TAPS.map((t) => narrowEntry(c, t))).join('\n');
