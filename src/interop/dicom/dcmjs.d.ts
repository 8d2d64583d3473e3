// Only sources are compiled with this; published types name the interface itself.
declare module 'dcmjs' {
  const dcmjs: import('./dcmjs-api.ts').Dcmjs;
  export default dcmjs;
}
