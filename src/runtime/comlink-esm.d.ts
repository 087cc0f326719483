/**
 * comlink's ES module by its file name: the package's `main` is UMD, whose named exports Node cannot see. A MessagePort
 * of Node is an EventTarget, so comlink's node adapter is not needed.
 */
declare module 'comlink/dist/esm/comlink.mjs' {
  export * from 'comlink';
}
