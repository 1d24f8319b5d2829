/** Text of wgsl/conv.depthwise.wgsl behind the helpers of wgsl/conv.wgsl; used by scripts/conv-siblings.ts. */

/** Places that an invocation owns: neighbours of one line, or any four. */
const NEIGHBOURS = 8;
const PLACES = 4;
/** Neighbouring taps that `depthwise` takes in one turn. */
const TAPS = 3;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = (count: number, line: (i: number) => string): string => range(count).map(line).join('\n');

/** The way out for the sums of the places from `first` on. */
const wayOut = (places: number, store: (p: number) => string): string => `  var biasOfQuad = vec4f();
  if (params.hasBias != 0u) { biasOfQuad = biasQuads[quad]; }
  let relu = vec4<bool>(params.activation == 1u);
${lines(places, (p) => `  let v${p} = reluIf(sum${p} + biasOfQuad, relu);\n${store(p)}`)}
  let sums = array<vec4f, ${places}>(${range(places)
    .map((p) => `sum${p}`)
    .join(', ')});
  let odd = params.activation > 1u || ${range(places)
    .map((p) => `hasNan(v${p})`)
    .join(' || ')};
  for (var p = select(${places}u, 0u, odd); p < ${places}u; p++) {
    finishQuad(placeOf(first + p, phase), phase, quad, sums[p], biasOfQuad);
  }
}`;

const head = (name: string): string => `@compute @workgroup_size(LANES)
fn ${name}(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let item = min(number * LANES + lane, params.items - 1u);
  let quads = params.channels / 4u;
  let piece = item / quads;
  let quad = item - piece * quads;`;

export const depthwiseText = (): string => `override LANES: u32 = 8u;

@group(0) @binding(1) var<storage, read> xQuads: array<vec4f>;
@group(0) @binding(2) var<storage, read> wQuads: array<vec4f>;
@group(0) @binding(3) var<storage, read> biasQuads: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> outQuads: array<vec4f>;

fn hasNan(v: vec4f) -> bool {
  return any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn reluIf(v: vec4f, relu: vec4<bool>) -> vec4f {
  return select(v, vec4f(), (v < vec4f()) & relu);
}

// The sum for one place and four channels, without the padding.
fn plainDepthwise(place: Place, phase: vec3u, quad: u32) -> vec4f {
  var sum = vec4f();
  let quads = params.channels / 4u;
  let taps = params.kernel.x * params.kernel.y * params.kernel.z;
  for (var tap = 0u; tap < taps; tap++) {
    let line = tap / params.kernel.z;
    let reachZ = reachOf(0u, phase, line / params.kernel.y);
    let reachY = reachOf(1u, phase, line % params.kernel.y);
    let reachX = reachOf(2u, phase, tap % params.kernel.z);
    if (!(reachZ.meets && reachY.meets && reachX.meets)) { continue; }
    let at = place.at + vec3i(reachZ.by, reachY.by, reachX.by * i32(params.pixel));
    if (any(vec3u(at) >= params.source)) { continue; }
    let shift = (reachZ.by * i32(params.source.y) + reachY.by) * i32(params.source.z) + reachX.by * i32(params.pixel);
    sum = fma(xQuads[(place.origin + u32(shift)) / 4u + quad], wQuads[tap * quads + quad], sum);
  }
  return sum;
}

// Stores four channels of one place that take more than relu; outside of the result it does nothing.
fn finishQuad(place: Place, phase: vec3u, quad: u32, sum: vec4f, biasOfQuad: vec4f) {
  if (!place.inside) { return; }
  var v = sum;
  if (hasNan(v)) { v = plainDepthwise(place, phase, quad); }
  v += biasOfQuad;
  for (var e = 0u; e < 4u; e++) { v[e] = activate(v[e]); }
  outQuads[place.out * params.channels / 4u + quad] = v;
}

// Neighbouring places of a line, where the window moves by one from place to place and from tap to tap: each vector that is
// loaded serves up to ${TAPS} taps. The last piece of a line ends where the line does, so two may write one place, both the same.
${head('depthwise')}
  let phase = vec3u();
  let outLine = piece / params.pieces;
  let first = outLine * params.grid.z + min((piece - outLine * params.pieces) * ${NEIGHBOURS}u, params.grid.z - ${NEIGHBOURS}u);
  let place = placeOf(first, phase);
  let pixel = params.pixel;
  let line = params.source.z;
  let width = i32(params.kernel.z);
  let backwards = params.tapStep.z < 0;
  let ahead = params.offset.z - select(0, width - 1, backwards);
${lines(NEIGHBOURS, (p) => `  var sum${p} = vec4f();`)}
  // One loop instead of three: some drivers go once more through the body of every loop than it has turns.
  for (var turn = 0u; turn < params.blocks; turn++) {
    let lineOfTaps = turn / params.tapTurns;
    let tx = i32(turn - lineOfTaps * params.tapTurns) * ${TAPS};
    let tz = lineOfTaps / params.kernel.y;
    let reachZ = params.offset.x + i32(tz) * params.tapStep.x;
    let reachY = params.offset.y + i32(lineOfTaps - tz * params.kernel.y) * params.tapStep.y;
    let valid = u32(place.at.x + reachZ) < params.source.x && u32(place.at.y + reachY) < params.source.y;
    let along = (ahead + tx) * i32(pixel);
    let at = place.origin + u32((reachZ * i32(params.source.y) + reachY) * i32(line) + along);
    let inLine = select(NOWHERE, u32(place.at.z + along), valid);
${lines(
  NEIGHBOURS + TAPS - 1,
  (j) =>
    `    let x${j} = select(vec4f(), xQuads[(at + ${j}u * pixel) / 4u + quad], inLine + ${j}u * pixel < line);`,
)}
${lines(TAPS, (t) =>
  [
    `    let tap${t} = min(tx + ${t}, width - 1);`,
    `    let column${t} = u32(select(tap${t}, width - 1 - tap${t}, backwards));`,
    `    let right${t} = select(vec4f(), wQuads[(lineOfTaps * params.kernel.z + column${t}) * quads + quad], tx + ${t} < width);`,
    ...range(NEIGHBOURS).map((p) => `    sum${p} = fma(x${p + t}, right${t}, sum${p});`),
  ].join('\n'),
)}
  }
${wayOut(NEIGHBOURS, (p) => `  outQuads[(place.out + ${p}u) * quads + quad] = v${p};`)}

// Any strides and dilation, at any places of one phase.
${head('depthwiseAny')}
  let phaseNumber = piece / params.tiles;
  let phases = params.phases;
  let phase = vec3u(phaseNumber / (phases.y * phases.z), phaseNumber / phases.z % phases.y, phaseNumber % phases.z);
  let first = (piece - phaseNumber * params.tiles) * ${PLACES}u;
${lines(PLACES, (p) => `  let place${p} = placeOf(first + ${p}u, phase);`)}
${lines(PLACES, (p) => `  var sum${p} = vec4f();`)}
  for (var tz = 0u; tz < params.kernel.x; tz++) {
    let reachZ = reachOf(0u, phase, tz);
    if (!reachZ.meets) { continue; }
    for (var ty = 0u; ty < params.kernel.y; ty++) {
      let reachY = reachOf(1u, phase, ty);
      if (!reachY.meets) { continue; }
      for (var tx = 0u; tx < params.kernel.z; tx++) {
        let reachX = reachOf(2u, phase, tx);
        if (!reachX.meets) { continue; }
        let by = vec3i(reachZ.by, reachY.by, reachX.by * i32(params.pixel));
        let shift = u32((by.x * i32(params.source.y) + by.y) * i32(params.source.z) + by.z);
        let right = wQuads[((tz * params.kernel.y + ty) * params.kernel.z + tx) * quads + quad];
${lines(
  PLACES,
  (p) => `        let valid${p} = all(vec3u(place${p}.at + by) < params.source);
        sum${p} = fma(select(vec4f(), xQuads[(place${p}.origin + shift) / 4u + quad], valid${p}), right, sum${p});`,
)}
      }
    }
  }
${wayOut(PLACES, (p) => `  if (place${p}.inside) { outQuads[place${p}.out * quads + quad] = v${p}; }`)}
`;

export const depthwiseWork = `// For groups of one channel that make one channel, a multiple of four of them; x, w, bias and out are bound as vectors of four
// channels. An invocation owns four neighbouring channels at ${NEIGHBOURS} neighbouring or ${PLACES} other places and writes them with \`=\`; the lanes lie along the channels.
`;
