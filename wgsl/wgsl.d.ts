/** WGSL modules are imported as text: by a loader hook in development, inlined by the build. */
declare module '*.wgsl' {
  const source: string;
  export default source;
}
