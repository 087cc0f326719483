/** comlink's adapter for a Worker of Node, by the file name of its ES module. */
declare module 'comlink/dist/esm/node-adapter.mjs' {
  export { default } from 'comlink/dist/esm/node-adapter';
}
